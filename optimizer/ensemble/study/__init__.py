"""How an answer fares in every member: quantiles, identified decisions, drivers of the value.

Enter: a case, an ensemble, and a schedule or none. Members are judged and solved one by one;
nothing here decides for all of them at once.
"""
