//! The bindings of several servers in one Redis: feature `redis`.
//!
//! A user is one hash: a field for each binding, a revision that counts its changes, and the latest expiry, by which
//! Redis forgets it. One sorted set has all bindings by expiry, so that their number has a limit. An update names the revision it was decided on and is made by one script, so of two servers that
//! decide at a time one is told [`Answer::Conflict`] and looks again.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use offhook_routing::location::{
    AddressOfRecord, Answer, Binding, Change, Question, QuestionId, Revision,
};
use offhook_routing::record;
use redis::{Connection, Pipeline, RedisResult, Value, from_redis_value};

/// The settings of [`SharedBindings`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedConfig {
    /// Where Redis is: `redis://host:port/database`.
    pub url: String,
    /// What the keys begin with.
    pub prefix: String,
    /// How long Redis may take; then the answer is [`Answer::Unavailable`].
    pub timeout: Duration,
    /// Questions that may wait; more are answered [`Answer::Unavailable`] at once.
    pub max_waiting: usize,
}

impl SharedConfig {
    /// Two seconds, 10,000 questions, keys that begin with `offhook:`.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        let (prefix, timeout) = ("offhook:".into(), Duration::from_secs(2));
        Self {
            url: url.into(),
            prefix,
            timeout,
            max_waiting: 10_000,
        }
    }
}

/// The URL names no Redis.
#[derive(Debug, thiserror::Error)]
#[error("{url}: {why}")]
pub struct SharedError {
    url: String,
    why: String,
}

/// Answers questions about bindings from Redis, in a thread of its own.
///
/// Every question gets one answer, by the function given at the start, which runs on that thread. A Redis that cannot
/// be reached does not stop the start nor a server: it is asked again with the next question.
///
/// Dropping it answers what is waiting.
#[derive(Debug)]
pub struct SharedBindings {
    questions: Option<SyncSender<Question>>,
    thread: Option<JoinHandle<()>>,
}

impl SharedBindings {
    /// Starts the thread; Redis is first asked with the first question.
    ///
    /// # Errors
    /// [`SharedError`] if the URL is none, or no thread can be had.
    pub fn start(
        config: SharedConfig,
        answer: impl FnMut(Answer) + Send + 'static,
    ) -> Result<Self, SharedError> {
        let failed = |why: String| SharedError {
            url: config.url.clone(),
            why,
        };
        let client =
            redis::Client::open(config.url.as_str()).map_err(|error| failed(error.to_string()))?;
        let (questions, waiting) = std::sync::mpsc::sync_channel(config.max_waiting);
        let worker = Worker {
            client,
            connection: None,
            refused: None,
            config: config.clone(),
            answer,
        };
        let spawned = std::thread::Builder::new()
            .name("bindings".into())
            .spawn(move || worker.run(&waiting));
        let thread = spawned.map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            questions: Some(questions),
            thread: Some(thread),
        })
    }

    /// Asks. Costs no waiting.
    ///
    /// # Errors
    /// The answer, when it is known at once: too many are waiting.
    pub fn ask(&self, question: Question) -> Result<(), Answer> {
        let sent = self
            .questions
            .as_ref()
            .map(|questions| questions.try_send(question));
        match sent {
            Some(Err(TrySendError::Full(question) | TrySendError::Disconnected(question))) => {
                Err(Answer::Unavailable {
                    id: id_of(&question),
                })
            }
            Some(Ok(())) | None => Ok(()),
        }
    }
}

impl Drop for SharedBindings {
    fn drop(&mut self) {
        self.questions = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn id_of(question: &Question) -> QuestionId {
    match question {
        Question::Lookup { id, .. } | Question::Update { id, .. } => *id,
    }
}

/// The fields of a hash that are no binding.
const REVISION: &[u8] = b"revision";
const LATEST: &[u8] = b"latest";
/// What the key of all bindings begins with, before the prefix: no user's key can be the same.
const ALL: &str = "all-";
/// What the fields of bindings begin with.
const BINDING: u8 = b'b';

/// `KEYS`: the user, and the bindings of all by expiry. `ARGV`: revision, latest expiry, now, how many there may be,
/// then `p` field record expiry, or `r` field. 1 if it was done, 0 if the revision is another, 2 if there is no room.
///
/// Redis forgets a user a minute after his last binding: clocks of servers differ.
const UPDATE: &str = "
local revision = tonumber(redis.call('HGET', KEYS[1], 'revision') or '0')
if revision ~= tonumber(ARGV[1]) then return 0 end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[3])
local added, removed, i = 0, 0, 5
while i <= #ARGV do
  local known = redis.call('ZSCORE', KEYS[2], KEYS[1] .. ' ' .. ARGV[i + 1])
  if ARGV[i] == 'p' then
    if not known then added = added + 1 end
    i = i + 4
  else
    if known then removed = removed + 1 end
    i = i + 2
  end
end
local all = redis.call('ZCARD', KEYS[2])
if added > 0 and all + added - removed > tonumber(ARGV[4]) then return 2 end
i = 5
while i <= #ARGV do
  local member = KEYS[1] .. ' ' .. ARGV[i + 1]
  if ARGV[i] == 'p' then
    redis.call('HSET', KEYS[1], ARGV[i + 1], ARGV[i + 2])
    redis.call('ZADD', KEYS[2], ARGV[i + 3], member)
    i = i + 4
  else
    redis.call('HDEL', KEYS[1], ARGV[i + 1])
    redis.call('ZREM', KEYS[2], member)
    i = i + 2
  end
end
local latest = math.max(tonumber(redis.call('HGET', KEYS[1], 'latest') or '0'), tonumber(ARGV[2]))
redis.call('HSET', KEYS[1], 'revision', string.format('%d', revision + 1), 'latest', string.format('%d', latest))
redis.call('EXPIREAT', KEYS[1], string.format('%d', latest + 60))
return 1
";

/// Questions that are asked together.
const BATCH: usize = 256;
/// How long a Redis that refused is left alone.
const PAUSE: Duration = Duration::from_millis(500);

struct Worker<F> {
    config: SharedConfig,
    client: redis::Client,
    connection: Option<Connection>,
    /// When Redis last refused.
    refused: Option<Instant>,
    answer: F,
}

impl<F: FnMut(Answer)> Worker<F> {
    fn run(mut self, waiting: &Receiver<Question>) {
        while let Ok(first) = waiting.recv() {
            let mut batch = vec![first];
            batch.extend(waiting.try_iter().take(BATCH - 1));
            let replies = if self.is_left_alone() {
                None
            } else {
                self.ask(&batch).ok()
            };
            let Some(replies) = replies else {
                for question in &batch {
                    (self.answer)(Answer::Unavailable {
                        id: id_of(question),
                    });
                }
                continue;
            };
            for (question, reply) in batch.iter().zip(replies) {
                (self.answer)(read(question, reply));
            }
        }
    }

    fn is_left_alone(&self) -> bool {
        self.refused
            .is_some_and(|refused| refused.elapsed() < PAUSE)
    }

    /// The replies; after an error the next question tries a new connection.
    fn ask(&mut self, batch: &[Question]) -> RedisResult<Vec<Value>> {
        let mut pipeline = redis::pipe();
        for question in batch {
            self.write(question, &mut pipeline);
        }
        let mut connection = self.connection.take().map_or_else(|| self.connect(), Ok);
        let replies = match &mut connection {
            Ok(connection) => pipeline.query(connection),
            Err(error) => Err(error.clone()),
        };
        self.refused = replies.is_err().then(Instant::now);
        self.connection = connection.ok().filter(|_| replies.is_ok());
        replies
    }

    fn connect(&self) -> RedisResult<Connection> {
        let connection = self
            .client
            .get_connection_with_timeout(self.config.timeout)?;
        connection.set_read_timeout(Some(self.config.timeout))?;
        connection.set_write_timeout(Some(self.config.timeout))?;
        Ok(connection)
    }

    fn write(&self, question: &Question, pipeline: &mut Pipeline) {
        let key = |aor: &AddressOfRecord| format!("{}{aor}", self.config.prefix);
        match question {
            Question::Lookup { aor, .. } => _ = pipeline.cmd("HGETALL").arg(key(aor)),
            Question::Update {
                aor,
                seen,
                changes,
                most,
                ..
            } => {
                let put = |change: &Change| match change {
                    Change::Put(binding) => Some(binding.expires_at),
                    Change::Remove { .. } => None,
                };
                let latest = changes.iter().filter_map(put).max().unwrap_or(0);
                pipeline
                    .cmd("EVAL")
                    .arg(UPDATE)
                    .arg(2)
                    .arg(key(aor))
                    .arg(format!("{ALL}{}", self.config.prefix))
                    .arg(seen.0)
                    .arg(latest)
                    .arg(seconds_now())
                    .arg(*most);
                for change in changes {
                    match change {
                        Change::Put(binding) => {
                            let mut octets = Vec::new();
                            record::encode(binding, &mut octets);
                            let field = field(binding.contact.as_str(), binding.reg_id);
                            pipeline
                                .arg("p")
                                .arg(field)
                                .arg(octets)
                                .arg(binding.expires_at);
                        }
                        Change::Remove {
                            contact, reg_id, ..
                        } => {
                            pipeline.arg("r").arg(field(contact.as_str(), *reg_id));
                        }
                    }
                }
            }
        }
    }
}

fn seconds_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

/// A URI holds no space.
fn field(contact: &str, reg_id: Option<u32>) -> Vec<u8> {
    let mut field = vec![BINDING];
    field.extend_from_slice(contact.as_bytes());
    if let Some(reg_id) = reg_id {
        field.extend_from_slice(format!(" {reg_id}").as_bytes());
    }
    field
}

/// What a reply means. One that is unlike what the scripts write is of something else that uses these keys.
fn read(question: &Question, reply: Value) -> Answer {
    let id = id_of(question);
    let unavailable = Answer::Unavailable { id };
    match question {
        Question::Lookup { .. } => {
            from_redis_value(reply).map_or(unavailable, |fields| bindings(id, fields))
        }
        Question::Update { .. } => match from_redis_value::<u8>(reply) {
            Ok(1) => Answer::Updated { id },
            Ok(2) => Answer::Full { id },
            Ok(_) => Answer::Conflict { id },
            Err(_) => unavailable,
        },
    }
}

fn bindings(id: QuestionId, fields: Vec<(Vec<u8>, Vec<u8>)>) -> Answer {
    let now = seconds_now();
    let mut revision = 0;
    let mut bindings: Vec<Binding> = Vec::new();
    for (field, value) in fields {
        if field == REVISION {
            revision = core::str::from_utf8(&value)
                .ok()
                .and_then(|text| text.parse().ok())
                .unwrap_or(0);
        } else if field != LATEST && field.first() == Some(&BINDING) {
            bindings.extend(
                record::decode(&value)
                    .ok()
                    .filter(|binding| binding.expires_at > now),
            );
        }
    }
    // Redis keeps no order; the longest to live was most likely registered last.
    bindings.sort_by_key(|binding| core::cmp::Reverse((binding.q, binding.expires_at)));
    Answer::Bindings {
        id,
        bindings,
        revision: Revision(revision),
    }
}
