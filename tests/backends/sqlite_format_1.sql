PRAGMA application_id = 1346588492;
PRAGMA user_version = 1;
CREATE TABLE objects (
    id INTEGER PRIMARY KEY,
    root BLOB NOT NULL CHECK (typeof(root) = 'blob'),
    child BLOB NOT NULL CHECK (typeof(child) = 'blob'),
    shape TEXT NOT NULL CHECK (shape IN ('mapping', 'sequence', 'members')),
    size INTEGER NOT NULL,
    deadline REAL,
    tree INTEGER,
    UNIQUE (root, child)
);
CREATE INDEX objects_by_deadline ON objects (deadline) WHERE deadline IS NOT NULL;
CREATE TABLE fields (
    id INTEGER PRIMARY KEY,
    object INTEGER NOT NULL,
    place INTEGER NOT NULL,
    name BLOB NOT NULL CHECK (typeof(name) = 'blob'),
    data BLOB NOT NULL CHECK (typeof(data) = 'blob'),
    UNIQUE (object, name),
    UNIQUE (object, place)
);
CREATE TABLE members (
    object INTEGER NOT NULL,
    name BLOB NOT NULL CHECK (typeof(name) = 'blob'),
    PRIMARY KEY (object, name)
) WITHOUT ROWID;
CREATE TABLE items (
    id INTEGER PRIMARY KEY,
    object INTEGER NOT NULL,
    data BLOB NOT NULL CHECK (typeof(data) = 'blob')
);
CREATE INDEX items_by_object ON items (object);
CREATE TABLE nodes (
    id INTEGER PRIMARY KEY,
    object INTEGER NOT NULL,
    level INTEGER NOT NULL,
    entries BLOB NOT NULL
);
CREATE INDEX nodes_by_object ON nodes (object);
