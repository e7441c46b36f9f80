-- A worker is their own person until accounts are linked. Set by the database so that no path can forget it.
CREATE FUNCTION worker_is_own_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.person_id := coalesce(NEW.person_id, NEW.id);
  RETURN NEW;
END $$;
CREATE TRIGGER worker_is_own_person BEFORE INSERT OR UPDATE ON accounts_worker
  FOR EACH ROW EXECUTE FUNCTION worker_is_own_person();
