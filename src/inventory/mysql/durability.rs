//! Whether a commit survives a crash of the server: only then is nothing lost that was acknowledged.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::fault::Fault;

/// The settings that decide it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Durability {
    flush_log_at_commit: u64,
    /// After how many commits the binary log is synced; none if it is off.
    sync_binlog: Option<u64>,
}

impl Durability {
    /// As they are on the server.
    pub(super) async fn read(connection: &mut Conn) -> Result<Self, Fault> {
        let row: Option<(u64, u64, u64)> = connection
            .query_first("SELECT @@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.log_bin, @@GLOBAL.sync_binlog")
            .await?;
        // A query without a table has one row.
        let (flush_log_at_commit, log_bin, sync_binlog) = row.unwrap_or((1, 0, 1));
        Ok(Self {
            flush_log_at_commit,
            sync_binlog: (log_bin != 0).then_some(sync_binlog),
        })
    }

    /// What should be otherwise, in words.
    pub(super) fn warnings(self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.flush_log_at_commit != 1 {
            warnings.push(format!(
                "innodb_flush_log_at_trx_commit is {}: a crash can lose committed orders; it should be 1",
                self.flush_log_at_commit
            ));
        }
        if let Some(commits) = self.sync_binlog.filter(|commits| *commits != 1) {
            warnings.push(format!(
                "sync_binlog is {commits}: a crash can lose commits that replicas do not have yet; it should be 1"
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_can_lose_commits_are_told() {
        for (flush_log_at_commit, sync_binlog, names) in [
            (1, None, &[][..]),
            (1, Some(1), &[]),
            (2, Some(1), &["innodb_flush_log_at_trx_commit is 2"]),
            (1, Some(0), &["sync_binlog is 0"]),
            (
                0,
                Some(100),
                &["innodb_flush_log_at_trx_commit is 0", "sync_binlog is 100"],
            ),
        ] {
            let warnings = Durability {
                flush_log_at_commit,
                sync_binlog,
            }
            .warnings();
            assert_eq!(warnings.len(), names.len(), "{warnings:?}");
            for (warning, name) in warnings.iter().zip(names) {
                assert!(warning.starts_with(name), "{warning}");
            }
        }
    }
}
