"""The demonstration: three jobs, a simulated crowd that works through the API, and a report (``manage.py demo``)."""
