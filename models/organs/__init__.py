"""What doses do to organs: limits by the number of fractions, complication probabilities, risks.

Enter: doses by fraction or by bin. Nothing here knows tumors.
"""
