-- Ids of persons that are made of several accounts, or were. Far above the ids of workers, which are their own persons
-- until accounts are linked; never given twice, so that what was answered in one union is not taken for another's.
CREATE SEQUENCE accounts_person START 1000000000000;
