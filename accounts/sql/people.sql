-- Guards of workers' consents, blocks and profiles.
SELECT 1;
