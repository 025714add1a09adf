"""What courses and the judge say of a case and of an answer: notes beside every report."""

from abscopt.optimizer.audit.alone import Alone, lesions_alone
from abscopt.optimizer.audit.answer import answer_notes, notes_beside
from abscopt.optimizer.audit.case import CaseAudit, case_audit, evaluation_notes

__all__ = [
    "Alone",
    "CaseAudit",
    "answer_notes",
    "case_audit",
    "evaluation_notes",
    "lesions_alone",
    "notes_beside",
]
