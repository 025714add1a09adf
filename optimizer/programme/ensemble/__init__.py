"""All members of an ensemble in one programme: common choices, one part for each member's outcome.

Enter: candidates of the case and of its members, and a `Risk`. What is chosen stands once; bands,
tangents and limits of a member are those of its own programme, refined at its own verdicts.
"""
