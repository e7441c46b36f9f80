-- Taking standing away from under open leases (tasks/revoking.py).
SELECT 1;
