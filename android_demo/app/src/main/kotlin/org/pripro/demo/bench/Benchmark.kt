package org.pripro.demo.bench

/** One thing to time: opened once, then run once per round. */
class Subject(val name: String, val open: () -> () -> Unit)

/** What was measured of one [Subject], in milliseconds. */
class Timing(val subject: Subject, val loadMs: Double, val firstRunMs: Double, val runsMs: List<Double>) {
    val statistics: Statistics by lazy { Statistics.of(runsMs) }
}

/** How far a benchmark has come, with the percentiles so far of the subject that ran last. */
class BenchProgress(val round: Int, val rounds: Int, val name: String, val soFar: Statistics)

/** Thrown between two runs when somebody cancelled. */
class Cancelled : Exception("cancelled")

/**
 * Times subjects in interleaved rounds: heat and other apps then hit all of them alike, and their ratio means something.
 *
 * @param clock nanoseconds, monotonic.
 */
class Benchmark(private val warmups: Int, private val rounds: Int, private val clock: () -> Long = System::nanoTime) {
    init {
        require(warmups >= 0 && rounds >= 1) { "at least one round is needed" }
    }

    /**
     * @param progress called after each run, on the calling thread.
     * @param cancelled asked before each run.
     * @throws Cancelled as soon as [cancelled] says so.
     */
    fun run(subjects: List<Subject>, progress: (BenchProgress) -> Unit = {}, cancelled: () -> Boolean = { false }): List<Timing> {
        val opened = subjects.map { subject ->
            stopIf(cancelled)
            lateinit var step: () -> Unit
            val load = time { step = subject.open() }
            val first = time(step)
            repeat(warmups) {
                stopIf(cancelled)
                step()
            }
            Opened(subject, step, load, first)
        }
        for (round in 1..rounds) {
            for (one in opened) {
                stopIf(cancelled)
                one.runs.add(time(one.step))
                progress(BenchProgress(round, rounds, one.subject.name, Statistics.of(one.runs)))
            }
        }
        return opened.map { Timing(it.subject, it.load, it.first, it.runs) }
    }

    private class Opened(val subject: Subject, val step: () -> Unit, val load: Double, val first: Double) {
        val runs = ArrayList<Double>()
    }

    private fun stopIf(cancelled: () -> Boolean) {
        if (cancelled() || Thread.currentThread().isInterrupted) throw Cancelled()
    }

    private inline fun time(step: () -> Unit): Double {
        val start = clock()
        step()
        return (clock() - start) / 1e6
    }
}
