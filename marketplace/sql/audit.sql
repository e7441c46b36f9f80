-- How people and programs sign in, under audit (accounts/sql/audit.sql): allauth's tables and ours beside them.
CREATE TRIGGER organisation_client_is_audited AFTER INSERT OR UPDATE OR DELETE ON marketplace_organisationclient
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('client_id', 'organisation_id', '{}', '{}');
CREATE TRIGGER oauth_client_is_audited AFTER INSERT OR UPDATE OR DELETE ON allauth_idp_oidc_client
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{secret,data}', '{name}');
CREATE TRIGGER second_factor_is_audited AFTER INSERT OR UPDATE OR DELETE ON mfa_authenticator
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{data,last_used_at}', '{}');
CREATE TRIGGER email_address_is_audited AFTER INSERT OR UPDATE OR DELETE ON account_emailaddress
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{}', '{email}');
CREATE TRIGGER social_account_is_audited AFTER INSERT OR UPDATE OR DELETE ON socialaccount_socialaccount
  FOR EACH ROW EXECUTE FUNCTION audit_change_veiled('id', '', '{extra_data,last_login}', '{uid}');
