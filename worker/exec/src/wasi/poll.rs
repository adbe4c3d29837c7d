//! `poll_oneoff`: waiting, without anybody waiting.
//!
//! Invariant: it returns at once with at least one event. Streams and files are always ready; where
//! only clocks are waited for, the guest's clock jumps to the first of them.
use super::{
    Answered, Call, Errno,
    descriptors::{Kind, rights},
    memory::{read_u32, read_u64},
    process::check_clock,
    record::{self, EVENT_BYTES, SUBSCRIPTION_BYTES},
};

/// Most subscriptions in a call.
pub const SUBSCRIPTIONS_MAX: u32 = 1_024;
/// Set where a clock's time is a moment rather than a span.
const ABSTIME: u16 = 1;

const CLOCK: u8 = 0;
const FD_READ: u8 = 1;
const FD_WRITE: u8 = 2;

/// One thing waited for.
struct Subscription {
    userdata: u64,
    kind: u8,
    state: State,
}

enum State {
    /// It has come, or it never will.
    Ready(Result<u64, Errno>),
    /// It comes at that moment.
    At(u64),
}

impl Call<'_> {
    pub fn poll_oneoff(
        &mut self,
        subscriptions: u32,
        events: u32,
        count: u32,
        out: u32,
    ) -> Answered {
        if count == 0 || count > SUBSCRIPTIONS_MAX {
            return Err(Errno::Inval.into());
        }
        self.memory.check(out, 4)?;
        self.memory.check(events, count * EVENT_BYTES)?;
        self.memory.check(subscriptions, count * SUBSCRIPTION_BYTES)?;
        self.charge_bytes(u64::from(count * SUBSCRIPTION_BYTES))?;
        let waited = self.subscriptions(subscriptions, count)?;
        let now = self.sleep(&waited);
        let mut at = events;
        let mut happened = 0;
        for subscription in waited {
            let answer = match subscription.state {
                State::Ready(answer) => answer,
                State::At(moment) if moment <= now => Ok(0),
                State::At(_) => continue,
            };
            let errno = answer.err().map_or(0, |errno| errno as u16);
            let ready = answer.unwrap_or(0);
            let event = record::event(subscription.userdata, errno, subscription.kind, ready);
            self.memory.write(at, &event)?;
            at += EVENT_BYTES;
            happened += 1;
        }
        Ok(self.memory.write_u32(out, happened)?)
    }

    fn subscriptions(&self, at: u32, count: u32) -> Result<Vec<Subscription>, Errno> {
        let now = self.now();
        let bytes = self.memory.bytes(at, count * SUBSCRIPTION_BYTES)?;
        let records = bytes.chunks_exact(SUBSCRIPTION_BYTES as usize);
        records.map(|record| self.subscription(record, now)).collect()
    }

    fn subscription(&self, record: &[u8], now: u64) -> Result<Subscription, Errno> {
        let kind = record[8];
        let state = match kind {
            CLOCK => clock_state(record, now),
            FD_READ => State::Ready(self.ready(read_u32(record, 16), rights::FD_READ)),
            FD_WRITE => State::Ready(self.ready(read_u32(record, 16), rights::FD_WRITE)),
            _ => return Err(Errno::Inval),
        };
        Ok(Subscription { userdata: read_u64(record, 0), kind, state })
    }

    /// Bytes that can be read or written at once.
    fn ready(&self, fd: u32, right: u64) -> Result<u64, Errno> {
        let descriptor = self.system.descriptors.get(fd)?;
        descriptor.require(right)?;
        match descriptor.kind {
            Kind::Stdin => Ok(self.system.input_left().len() as u64),
            Kind::Stdout | Kind::Stderr => Ok(1),
            Kind::File { node, offset } => {
                Ok(self.system.tree.node(node)?.len().saturating_sub(offset))
            }
            Kind::Directory { .. } => Err(Errno::Badf),
        }
    }

    /// Lets time pass to the first moment if nothing is ready before; says what time it is then.
    fn sleep(&mut self, waited: &[Subscription]) -> u64 {
        let now = self.now();
        let moments = waited.iter().map(|subscription| match subscription.state {
            State::Ready(_) => now,
            State::At(moment) => moment,
        });
        let wake = moments.min().unwrap_or(now).max(now);
        self.system.slept_ns = self.system.slept_ns.saturating_add(wake - now);
        wake
    }
}

fn clock_state(record: &[u8], now: u64) -> State {
    let time = read_u64(record, 24);
    let flags = u16::from_le_bytes([record[40], record[41]]);
    match check_clock(read_u32(record, 16)) {
        Err(errno) => State::Ready(Err(errno)),
        Ok(()) if flags & ABSTIME != 0 => State::At(time),
        Ok(()) => State::At(now.saturating_add(time)),
    }
}
