"""What a treatment has left behind on some morning, and the judge going on from there.

`carry` takes a state from one morning to a later one, `go_on` judges what follows from a state
alone. The judge itself recomputes whole schedules; that both agree for every term of the model is
tested. Chooses nothing.
"""

from abscopt.optimizer.evaluation.carried.treatment import Carried, Outlook, at_first, carry, go_on

__all__ = ["Carried", "Outlook", "at_first", "carry", "go_on"]
