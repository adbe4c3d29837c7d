//! Arguments, environment, clocks, random bytes, the end; and sockets, of which there are none.
use super::{Answered, Call, Errno, FUEL_PER_BYTE, PROGRAM_NAME};

/// Clocks of WASI: realtime, monotonic, process, thread. Here all four are the same.
const CLOCKS: u32 = 4;
/// What the clocks tell apart, nanoseconds.
const CLOCK_RESOLUTION_NS: u64 = 1;

impl Call<'_> {
    pub fn args_sizes_get(&mut self, count: u32, bytes: u32) -> Answered {
        let texts = self.arguments();
        self.write_sizes(&texts, count, bytes)
    }

    pub fn args_get(&mut self, pointers: u32, text: u32) -> Answered {
        let texts = self.arguments();
        self.write_texts(&texts, pointers, text)
    }

    pub fn environ_sizes_get(&mut self, count: u32, bytes: u32) -> Answered {
        let texts = self.environment();
        self.write_sizes(&texts, count, bytes)
    }

    pub fn environ_get(&mut self, pointers: u32, text: u32) -> Answered {
        let texts = self.environment();
        self.write_texts(&texts, pointers, text)
    }

    fn arguments(&self) -> Vec<String> {
        let program = std::iter::once(PROGRAM_NAME.to_owned());
        program.chain(self.system.args.iter().cloned()).collect()
    }

    fn environment(&self) -> Vec<String> {
        self.system.env.iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    /// How many texts there are, and their bytes with a NUL after each.
    fn write_sizes(&mut self, texts: &[String], count: u32, bytes: u32) -> Answered {
        let total: usize = texts.iter().map(|text| text.len() + 1).sum();
        let total = u32::try_from(total).map_err(|_| Errno::Overflow)?;
        self.charge_bytes(total.into())?;
        self.memory.write_u32(count, texts.len() as u32)?;
        Ok(self.memory.write_u32(bytes, total)?)
    }

    fn write_texts(&mut self, texts: &[String], pointers: u32, text: u32) -> Answered {
        let mut at = text;
        let mut slot = pointers;
        for text in texts {
            self.charge_bytes(text.len() as u64 + 5)?;
            self.memory.write_u32(slot, at)?;
            self.memory.write(at, text.as_bytes())?;
            at = at.checked_add(text.len() as u32).ok_or(Errno::Fault)?;
            self.memory.write(at, &[0])?;
            at = at.checked_add(1).ok_or(Errno::Fault)?;
            slot = slot.checked_add(4).ok_or(Errno::Fault)?;
        }
        Ok(())
    }

    pub fn clock_res_get(&mut self, clock: u32, out: u32) -> Answered {
        check_clock(clock)?;
        Ok(self.memory.write_u64(out, CLOCK_RESOLUTION_NS)?)
    }

    pub fn clock_time_get(&mut self, clock: u32, _precision: u64, out: u32) -> Answered {
        check_clock(clock)?;
        let now = self.now();
        Ok(self.memory.write_u64(out, now)?)
    }

    pub fn random_get(&mut self, at: u32, len: u32) -> Answered {
        self.memory.check(at, len)?;
        self.fuel.charge(u64::from(len) * FUEL_PER_BYTE)?;
        self.system.fill_random(self.memory.bytes_mut(at, len)?);
        Ok(())
    }

    pub fn sched_yield(&mut self) -> Answered {
        Ok(())
    }

    /// There are no signals; a guest that wants to abort traps or exits.
    pub fn proc_raise(&mut self, _signal: u32) -> Answered {
        Err(Errno::Notsup.into())
    }

    pub fn sock_accept(&mut self, fd: u32, _flags: u32, _out: u32) -> Answered {
        self.no_socket(fd)
    }

    pub fn sock_recv(
        &mut self,
        fd: u32,
        _buffers: u32,
        _count: u32,
        _flags: u32,
        _out: u32,
        _out_flags: u32,
    ) -> Answered {
        self.no_socket(fd)
    }

    pub fn sock_send(
        &mut self,
        fd: u32,
        _buffers: u32,
        _count: u32,
        _flags: u32,
        _out: u32,
    ) -> Answered {
        self.no_socket(fd)
    }

    pub fn sock_shutdown(&mut self, fd: u32, _how: u32) -> Answered {
        self.no_socket(fd)
    }

    fn no_socket(&mut self, fd: u32) -> Answered {
        self.system.descriptors.get(fd)?;
        Err(Errno::Notsock.into())
    }
}

/// Whether there is such a clock.
pub fn check_clock(clock: u32) -> Result<(), Errno> {
    match clock < CLOCKS {
        true => Ok(()),
        false => Err(Errno::Inval),
    }
}
