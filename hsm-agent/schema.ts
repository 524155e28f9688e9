/**
 * The tables of the agent's record. STRICT: a value of another type is refused by SQLite itself. A request's long texts, which stay as
 * they are, have a table of their own: SQLite writes a whole row anew with every change of it.
 */
export const SCHEMA = `
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (n INTEGER PRIMARY KEY, entry TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS log_nodes (level INTEGER NOT NULL, at INTEGER NOT NULL, hash TEXT NOT NULL, PRIMARY KEY (level, at)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS acts (n INTEGER PRIMARY KEY, jws TEXT NOT NULL, at INTEGER NOT NULL, entry INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS vaults (
  name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, public_key TEXT NOT NULL UNIQUE, backup TEXT NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS next_nonces (
  vault TEXT NOT NULL, network TEXT NOT NULL, nonce INTEGER NOT NULL, PRIMARY KEY (vault, network)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS free_nonces (
  vault TEXT NOT NULL, network TEXT NOT NULL, nonce INTEGER NOT NULL, PRIMARY KEY (vault, network, nonce)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS invites (
  kid TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, roles TEXT NOT NULL, inviter TEXT, key TEXT NOT NULL, exp INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pairings (
  kid TEXT PRIMARY KEY, jti TEXT NOT NULL, name TEXT NOT NULL UNIQUE, roles TEXT NOT NULL, inviter TEXT, key TEXT NOT NULL, seal TEXT NOT NULL,
  device TEXT, vouched INTEGER NOT NULL, tries INTEGER NOT NULL, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS waiting_devices (
  name TEXT NOT NULL, address TEXT NOT NULL, device TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (name, address)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seals (kid TEXT PRIMARY KEY, private TEXT NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS member_seals (
  kid TEXT PRIMARY KEY, n INTEGER NOT NULL, key TEXT NOT NULL, acts INTEGER NOT NULL, shown INTEGER NOT NULL, witness TEXT,
  witness_size INTEGER, witnessed INTEGER) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS freezes (
  vault TEXT NOT NULL, by TEXT NOT NULL, at INTEGER NOT NULL, of TEXT, PRIMARY KEY (vault, by)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS requests (
  id TEXT PRIMARY KEY, proposal TEXT NOT NULL UNIQUE, verb TEXT NOT NULL, state TEXT NOT NULL, vault TEXT, network TEXT, nonce INTEGER,
  initiator TEXT, expires INTEGER NOT NULL, not_before INTEGER, at INTEGER NOT NULL, digest TEXT NOT NULL, policy INTEGER NOT NULL,
  people INTEGER NOT NULL, issued INTEGER, revision INTEGER NOT NULL, logged INTEGER NOT NULL, entry INTEGER, signed TEXT, hash TEXT,
  released INTEGER, problem TEXT) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS request_texts (id TEXT PRIMARY KEY, proposal_jws TEXT, payload TEXT NOT NULL, jws TEXT) STRICT;
CREATE INDEX IF NOT EXISTS requests_state ON requests (state, expires);
CREATE INDEX IF NOT EXISTS requests_unreleased ON requests (expires) WHERE state = 'signed' AND released IS NULL;
CREATE UNIQUE INDEX IF NOT EXISTS requests_nonce ON requests (vault, network, nonce) WHERE state IN ('proposed', 'pending', 'approved', 'signed');
CREATE TABLE IF NOT EXISTS records (
  request TEXT NOT NULL, n INTEGER NOT NULL, kind TEXT NOT NULL, person TEXT NOT NULL, jti TEXT NOT NULL UNIQUE, at INTEGER NOT NULL,
  vendor TEXT, address TEXT, reason TEXT, jws TEXT NOT NULL, PRIMARY KEY (request, n)) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS records_approval ON records (request, person) WHERE kind = 'approval';
CREATE INDEX IF NOT EXISTS records_address ON records (address, at) WHERE address IS NOT NULL;
CREATE TABLE IF NOT EXISTS owed_views (receiver TEXT NOT NULL, request TEXT NOT NULL, PRIMARY KEY (receiver, request)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owed (n INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT NOT NULL, receiver TEXT NOT NULL, body TEXT NOT NULL, seal TEXT) STRICT;
CREATE TABLE IF NOT EXISTS outbox (
  n INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, receiver TEXT NOT NULL, jws TEXT NOT NULL, seal TEXT, UNIQUE (id, receiver)) STRICT;
CREATE INDEX IF NOT EXISTS outbox_receiver ON outbox (receiver);
`;
