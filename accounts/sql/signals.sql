-- Guards of signals.
SELECT 1;
