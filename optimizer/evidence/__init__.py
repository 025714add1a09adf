"""Does the model answer to published findings? Settings, verdicts, baselines, report."""
