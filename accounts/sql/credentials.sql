-- Guards of credentials.
SELECT 1;
