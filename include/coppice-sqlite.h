/*
 * coppice-sqlite.h - durable promises in a file, by SQLite.
 *
 * A library of its own, on libsqlite3: link with `pkg-config --libs coppice-sqlite`. It is one more child in
 * the tree, and coppice/durable.h has what it is for:
 *
 *     return cop_run(&(cop_supervisor_spec){
 *         COP_CHILDREN(cop_sqlite_spec("/var/lib/shop/orders.db", .name = "orders"),
 *                      {.id = "shop", .genserver = &shop})});
 *
 * Beside the file there are three more, with "-wal", "-shm" and "-coppice" behind its name. They belong to it:
 * who copies or moves it while it is open, or after a crash, takes all of them. They lie on a disk of this
 * machine: a network's file systems are refused.
 *
 * Several processes may have the file open, each with a store of its own, and each hears of what the
 * others settle: at once, by inotify, and if that fails, within 250 ms. They wait for each other in a queue,
 * and are not refused. Other programs may read it, the sqlite3 shell for one. They should not write to it, or
 * checkpoint it, while it is open: their locks are SQLite's only, and versions of that before 3.51.3 can damage
 * a file when one checkpoints while another writes. Among stores, a lock of ours stands before that.
 *
 * A settle is acknowledged when SQLite has synced it (WAL, synchronous=FULL). Whether a disk keeps what it has
 * said that it has when the power fails is between you and the disk.
 */
#ifndef COPPICE_SQLITE_H
#define COPPICE_SQLITE_H

#include <coppice.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The backend. Its `.at` is the path, a string that must be there for as long as the store.
 *
 * Opening it fails with
 *
 * -EPROTO      the file is of a newer version, another program's, or no database
 * -EIO         it is damaged
 * -EBUSY       another program has it locked, for more than two seconds
 * -EOPNOTSUPP  it is on a network's file system, or SQLite cannot keep its log (WAL) there
 * -EROFS       it may not be written to
 * -ENOENT, -EACCES, -ENOTDIR, -ENOSPC, -EMFILE and so on   as open(2)
 * -EINVAL      no path
 *
 * Threads: any.  Does not block.  Exit point: no.
 */
COP_API const cop_store_backend *cop_sqlite(void);

/* A store as a child of a supervisor: cop_sqlite_spec(path, options...), with those of cop_store_opts. Its id
 * is its name, or "sqlite". As cop_store_spec. */
#define cop_sqlite_spec(...) COP_SQLITE_SPEC_(__VA_ARGS__, .size = sizeof(cop_store_opts))
#define COP_SQLITE_SPEC_(path, ...) \
 cop_store_spec_with(NULL, &(cop_store_opts){.backend = cop_sqlite(), .at = (path), __VA_ARGS__})

/* Start one without a supervisor: cop_sqlite_start(out, path, options...). As cop_store_start. */
#define cop_sqlite_start(...) COP_SQLITE_START_(__VA_ARGS__, .size = sizeof(cop_store_opts))
#define COP_SQLITE_START_(out, path, ...) \
 cop_store_start_with((out), &(cop_store_opts){.backend = cop_sqlite(), .at = (path), __VA_ARGS__})

#ifdef __cplusplus
}
#endif
#endif
