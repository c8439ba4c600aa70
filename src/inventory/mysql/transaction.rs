//! A transaction in few round trips: its statements are gathered, and go out together with the next question, or with the
//! COMMIT.

use std::future::Future;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Row};

use super::fault::Fault;
use super::lane::Job;

/// Gathered statements go out when they have grown to this: far below the limit of a packet.
const SCRIPT_BYTES: usize = 4 << 20;

/// What is done in one transaction. It may be done again from the start.
pub(super) trait Transaction: Sync {
    /// What comes of it.
    type Done: Send;

    /// Does it, once. A transaction that is not committed here is committed afterwards.
    fn run(&self, tx: &mut Tx<'_>) -> impl Future<Output = Result<Self::Done, Fault>> + Send;
}

/// Any job, a statement at a time.
impl<J: Job> Transaction for J {
    type Done = J::Done;

    async fn run(&self, tx: &mut Tx<'_>) -> Result<Self::Done, Fault> {
        self.run(tx.begun().await?).await
    }
}

/// A transaction under way.
pub(super) struct Tx<'c> {
    connection: &'c mut Conn,
    /// What has not gone out yet.
    script: String,
    statements: usize,
    stage: Stage,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing has gone out.
    New,
    /// It can be rolled back.
    Open,
    /// COMMIT has gone out, and nobody knows what became of it.
    Committing,
    Committed,
}

/// The rows that questions were answered with, in the order of the questions.
pub(super) struct Answers(std::vec::IntoIter<Vec<Row>>);

impl Answers {
    /// The rows of the next so many questions.
    pub(super) fn rows(&mut self, questions: usize) -> impl Iterator<Item = Row> {
        self.0.by_ref().take(questions).flatten()
    }
}

impl<'c> Tx<'c> {
    pub(super) fn new(connection: &'c mut Conn) -> Self {
        let mut tx = Self {
            connection,
            script: String::new(),
            statements: 0,
            stage: Stage::New,
        };
        tx.push("START TRANSACTION");
        tx
    }

    fn push(&mut self, statement: &str) {
        if self.statements > 0 {
            self.script.push(';');
        }
        self.script.push_str(statement);
        self.statements += 1;
    }

    /// Adds a statement, which goes out with the next question at the latest.
    pub(super) async fn write(&mut self, statement: &str) -> Result<(), Fault> {
        self.push(statement);
        if self.script.len() >= SCRIPT_BYTES {
            self.send(0).await?;
        }
        Ok(())
    }

    /// Asks, after all that was written.
    pub(super) async fn ask(&mut self, questions: &[String]) -> Result<Answers, Fault> {
        let mut answers = Vec::with_capacity(questions.len());
        let mut asked = 0;
        for question in questions {
            self.push(question);
            asked += 1;
            if self.script.len() >= SCRIPT_BYTES {
                answers.append(&mut self.send(asked).await?);
                asked = 0;
            }
        }
        answers.append(&mut self.send(asked).await?);
        Ok(Answers(answers.into_iter()))
    }

    /// The connection, inside of the transaction, for statements that are sent one by one.
    pub(super) async fn begun(&mut self) -> Result<&mut Conn, Fault> {
        self.send(0).await?;
        Ok(self.connection)
    }

    /// Asks once more, and commits, in one round trip with all that was written since the last.
    pub(super) async fn commit(&mut self, questions: &[String]) -> Result<Answers, Fault> {
        for question in questions {
            self.push(question);
        }
        self.push("COMMIT");
        self.stage = Stage::Committing;
        let last = self.statements - 1;
        match self.results().await {
            Ok(mut answers) => {
                self.stage = Stage::Committed;
                answers.truncate(last);
                Ok(Answers(
                    answers.split_off(last - questions.len()).into_iter(),
                ))
            }
            Err((done, error)) => {
                let fault = Fault::from(error);
                // A server that refuses a statement does not look at those behind it.
                if fault.is_refusal() && (done < last || fault.is_rollback()) {
                    self.stage = Stage::Open;
                }
                Err(fault)
            }
        }
    }

    /// Commits what was done, unless that has been done already or there was nothing to do.
    pub(super) async fn finish(&mut self) -> Result<(), Fault> {
        match self.stage {
            Stage::New if self.statements <= 1 => Ok(()),
            Stage::New | Stage::Open => self.commit(&[]).await.map(|_| ()),
            Stage::Committing | Stage::Committed => Ok(()),
        }
    }

    /// Whether it may have been committed, and nobody knows.
    pub(super) fn is_uncertain(&self) -> bool {
        self.stage == Stage::Committing
    }

    /// Sends the script, if there is anything in it; the rows of the questions at its end.
    async fn send(&mut self, questions: usize) -> Result<Vec<Vec<Row>>, Fault> {
        if self.statements == 0 {
            return Ok(Vec::new());
        }
        self.stage = Stage::Open;
        let mut answers = self.results().await.map_err(|(_, error)| error)?;
        Ok(answers.split_off(answers.len() - questions))
    }

    /// Sends the script; the rows of each statement, or how many were done before the error.
    async fn results(&mut self) -> Result<Vec<Vec<Row>>, (usize, Error)> {
        let script = std::mem::take(&mut self.script);
        let statements = std::mem::take(&mut self.statements);
        let mut answers = Vec::with_capacity(statements);
        let mut results = match self.connection.query_iter(script).await {
            Ok(results) => results,
            Err(error) => return Err((0, error)),
        };
        while answers.len() < statements {
            match results.collect::<Row>().await {
                Ok(rows) => answers.push(rows),
                Err(error) => return Err((answers.len(), error)),
            }
        }
        match results.drop_result().await {
            Ok(()) => Ok(answers),
            Err(error) => Err((answers.len(), error)),
        }
    }
}
