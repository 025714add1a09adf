"""What was measured of a patient: observations, their errors, predictions and likelihoods.

Enter: files of observations, members, the judge's trajectory. Nothing here changes weights.
"""
