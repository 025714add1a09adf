"""Published models of radiation and immunotherapy, run forward as independent checks.

Each module has a function `simulate`: arrays per day in (dose of the day's fraction in Gy, drugs),
last axis days and leading axes broadcast against the parameters, and a `trajectory.Trajectory` out.
All volumes are mouse-scale: they are not predictions for a patient.
"""
