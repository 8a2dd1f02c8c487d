//! Many threads that want the same kind of thing done, and one of them that does it for all who wait:
//! what takes long for one, such as a wait for the disk, takes as long for many.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Whoever comes while nobody has the turn takes it, and does all jobs that wait by then.
pub(crate) struct SharedTurn<J, R> {
    state: Mutex<State<J, R>>,
    /// The turn is over.
    over: Condvar,
}

struct State<J, R> {
    /// In the order in which they came, with the number of each.
    waiting: Vec<(u64, J)>,
    /// Of those who have not fetched theirs yet.
    results: Vec<(u64, R)>,
    /// Somebody has the turn.
    taken: bool,
    next: u64,
}

impl<J, R> Default for SharedTurn<J, R> {
    fn default() -> Self {
        let state = State { waiting: Vec::new(), results: Vec::new(), taken: false, next: 0 };
        Self { state: Mutex::new(state), over: Condvar::new() }
    }
}

impl<J, R> SharedTurn<J, R> {
    /// Has `job` done, by this thread or another one. `do_all` does the jobs of its turn, and answers
    /// each, in their order.
    pub(crate) fn take(&self, job: J, do_all: impl FnOnce(&mut Turn<'_, J, R>) -> Vec<R>) -> R {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.waiting.push((number, job));
        while state.taken {
            state = self.over.wait(state).unwrap_or_else(PoisonError::into_inner);
            if let Some(at) = state.results.iter().position(|(whose, _)| *whose == number) {
                return state.results.swap_remove(at).1;
            }
        }
        state.taken = true;
        let (numbers, jobs): (Vec<_>, Vec<_>) =
            core::mem::take(&mut state.waiting).into_iter().unzip();
        drop(state);
        let mut turn = Turn { of: self, mine: number, numbers, jobs };
        let results = do_all(&mut turn);
        turn.end(results)
    }

    fn lock(&self) -> MutexGuard<'_, State<J, R>> {
        // Whoever panics in his turn gives it back, and what waits is whole at any time.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn, which is given back however it ends.
pub(crate) struct Turn<'a, J, R> {
    of: &'a SharedTurn<J, R>,
    mine: u64,
    numbers: Vec<u64>,
    /// Those that are not done.
    jobs: Vec<J>,
}

impl<J, R> Turn<'_, J, R> {
    /// All that wait by now, in the order in which they came. To be asked for once whatever else has
    /// to be waited for is there.
    pub(crate) fn jobs(&mut self) -> &[J] {
        for (number, job) in self.of.lock().waiting.drain(..) {
            self.numbers.push(number);
            self.jobs.push(job);
        }
        &self.jobs
    }

    /// Hands everybody his result, and returns one's own.
    fn end(&mut self, results: Vec<R>) -> R {
        assert_eq!(results.len(), self.jobs.len(), "each job has a result");
        let mut mine = None;
        let mut state = self.of.lock();
        self.jobs.clear();
        for (number, result) in self.numbers.drain(..).zip(results) {
            if number == self.mine {
                mine = Some(result);
            } else {
                state.results.push((number, result));
            }
        }
        drop(state);
        mine.unwrap_or_else(|| unreachable!("one's own job is among those that one does"))
    }
}

impl<J, R> Drop for Turn<'_, J, R> {
    fn drop(&mut self) {
        let mut state = self.of.lock();
        state.taken = false;
        // After a panic: the others' jobs wait for the next who has a turn.
        let undone = self.numbers.drain(..).zip(self.jobs.drain(..));
        let mine = self.mine;
        let others: Vec<_> = undone.filter(|(number, _)| *number != mine).collect();
        state.waiting.splice(..0, others);
        drop(state);
        self.of.over.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use core::panic::AssertUnwindSafe;
    use core::sync::atomic::{AtomicUsize, Ordering};
    use std::panic::catch_unwind;
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn everybody_gets_the_answer_to_his_own() {
        let turn = SharedTurn::default();
        let turns = AtomicUsize::new(0);
        thread::scope(|scope| {
            for thread in 0..8_u64 {
                let (turn, turns) = (&turn, &turns);
                scope.spawn(move || {
                    for job in 0..500 {
                        let job = thread * 1000 + job;
                        let result = turn.take(job, |turn| {
                            turns.fetch_add(1, Ordering::Relaxed);
                            thread::yield_now();
                            turn.jobs().iter().map(|job| job * 2).collect()
                        });
                        assert_eq!(result, job * 2);
                    }
                });
            }
        });
        let state = turn.lock();
        assert!(state.waiting.is_empty() && state.results.is_empty() && !state.taken);
        assert!(turns.into_inner() <= 8 * 500);
    }

    #[test]
    fn those_who_come_while_the_turn_is_taken_share_the_next() {
        let turn = SharedTurn::default();
        let (taken, all_wait) = (Barrier::new(2), Barrier::new(2));
        let sizes = Mutex::new(Vec::new());
        thread::scope(|scope| {
            scope.spawn(|| {
                turn.take(0, |turn| {
                    let jobs = turn.jobs().len();
                    taken.wait();
                    all_wait.wait();
                    vec![(); jobs]
                })
            });
            taken.wait();
            for job in 1..=5 {
                scope.spawn({
                    let (turn, sizes) = (&turn, &sizes);
                    move || {
                        turn.take(job, |turn| {
                            let jobs = turn.jobs().len();
                            sizes.lock().unwrap().push(jobs);
                            vec![(); jobs]
                        });
                    }
                });
            }
            while turn.lock().waiting.len() < 5 {
                thread::yield_now();
            }
            all_wait.wait();
        });
        assert_eq!(sizes.into_inner().unwrap(), [5]);
    }

    #[test]
    fn who_comes_before_the_jobs_are_asked_for_is_in_this_turn() {
        let turn = SharedTurn::default();
        let (taken, waits) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            let first = scope.spawn(|| {
                turn.take(1, |turn| {
                    taken.wait();
                    waits.wait();
                    turn.jobs().to_vec()
                })
            });
            taken.wait();
            let second = scope.spawn(|| turn.take(2, |_| unreachable!("it was done")));
            while turn.lock().waiting.is_empty() {
                thread::yield_now();
            }
            waits.wait();
            assert_eq!((first.join().unwrap(), second.join().unwrap()), (1, 2));
        });
    }

    #[test]
    fn a_panic_is_ones_own_and_the_others_go_on() {
        let turn = SharedTurn::default();
        let (taken, waits) = (Barrier::new(2), Barrier::new(2));
        thread::scope(|scope| {
            scope.spawn(|| {
                let panicked = catch_unwind(AssertUnwindSafe(|| {
                    turn.take(1, |_| {
                        taken.wait();
                        waits.wait();
                        panic!("in one's turn");
                    })
                }));
                assert!(panicked.is_err());
            });
            taken.wait();
            let other = scope.spawn(|| turn.take(2, |turn| turn.jobs().to_vec()));
            while turn.lock().waiting.is_empty() {
                thread::yield_now();
            }
            waits.wait();
            assert_eq!(other.join().unwrap(), 2);
        });
    }

    #[test]
    fn a_panic_with_others_jobs_in_hand_leaves_them_to_the_next() {
        let turn = SharedTurn::default();
        let (taken, waits) = (Barrier::new(2), Barrier::new(2));
        // Whichever of two has the turn panics with both in hand; the other does its own.
        let first = AtomicUsize::new(0);
        let attempt = |job: usize| {
            catch_unwind(AssertUnwindSafe(|| {
                turn.take(job, |turn| {
                    let jobs = turn.jobs().to_vec();
                    assert!(first.fetch_add(1, Ordering::Relaxed) > 0, "in one's turn");
                    jobs
                })
            }))
        };
        thread::scope(|scope| {
            scope.spawn(|| {
                turn.take(0, |turn| {
                    let jobs = turn.jobs().to_vec();
                    taken.wait();
                    waits.wait();
                    jobs
                })
            });
            taken.wait();
            let both = [1, 2].map(|job| {
                let attempt = &attempt;
                scope.spawn(move || attempt(job).ok())
            });
            while turn.lock().waiting.len() < 2 {
                thread::yield_now();
            }
            waits.wait();
            let [one, two] = both.map(|thread| thread.join().unwrap());
            assert!(matches!((one, two), (Some(1), None) | (None, Some(2))), "{one:?} {two:?}");
        });
    }
}
