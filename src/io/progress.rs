//! Progress on stderr: a bar on a terminal, silence in a pipe, lines or JSON on request.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

/// How progress is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// A bar on a terminal, else nothing.
    #[default]
    Auto,
    /// A line now and then.
    Plain,
    /// A JSON object per line.
    Json,
    /// Nothing.
    None,
}

/// Seconds between lines.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Shows how far a run has come.
#[derive(Debug)]
pub struct Progress {
    mode: ProgressMode,
    bar: ProgressBar,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    tasks: usize,
    done: usize,
    cells: u64,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// Progress in a mode; `quiet` silences it.
    pub fn new(mode: ProgressMode, quiet: bool) -> Self {
        let mode = match mode {
            _ if quiet => ProgressMode::None,
            ProgressMode::Auto if !std::io::stderr().is_terminal() => ProgressMode::None,
            mode => mode,
        };
        let now = Instant::now();
        let state = State { tasks: 0, done: 0, cells: 0, started: now, last_line: now };
        Self { mode, bar: ProgressBar::hidden(), state: Mutex::new(state) }
    }

    /// Announces tasks and the cells in them (cells of the grid times epochs).
    pub fn start(&self, tasks: usize, cells: u64) {
        let mut state = self.lock();
        *state = State { tasks, done: 0, cells: 0, started: Instant::now(), last_line: Instant::now() };
        if self.mode == ProgressMode::Auto && tasks > 0 {
            let megapixels = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.0} Mpx/s", state.per_sec() / 1e6);
            };
            let template = "{bar:32} {percent:>3} %  {msg}  {rate}  ETA {eta}";
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            self.bar.set_style(style.with_key("rate", megapixels).progress_chars("=> "));
            self.bar.set_length(cells);
            self.bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
            self.bar.set_message(format!("0/{tasks} tasks"));
        }
    }

    /// One more task is done.
    pub fn done(&self, cells: u64) {
        let mut state = self.lock();
        state.done += 1;
        state.cells += cells;
        self.bar.set_message(format!("{}/{} tasks", state.done, state.tasks));
        self.bar.inc(cells);
        let due = state.done == state.tasks || state.last_line.elapsed() >= LINE_EVERY;
        if due && matches!(self.mode, ProgressMode::Plain | ProgressMode::Json) {
            state.last_line = Instant::now();
            let rate = state.cells as f64 / 1e6 / state.started.elapsed().as_secs_f64().max(1e-3);
            let line = if self.mode == ProgressMode::Plain {
                format!("{}/{} tasks, {rate:.0} Mpx/s", state.done, state.tasks)
            } else {
                serde_json::json!({"tasks_done": state.done, "tasks": state.tasks, "mpx_per_s": rate})
                    .to_string()
            };
            // Progress that cannot be shown stops nothing.
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// The tasks are over.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
