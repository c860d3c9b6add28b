package org.pripro.splitkit.bench

/**
 * One thing to time: prepared, opened once, then run once per round.
 *
 * @param prepare what must be there before the clock of the load starts, such as a copied and checked file.
 */
public class Subject(public val name: String, public val prepare: () -> Unit = {}, public val open: () -> () -> Unit)

/** What was measured of one [Subject], in milliseconds. */
public class Timing(public val subject: Subject, public val loadMs: Double, public val firstRunMs: Double, public val runsMs: List<Double>) {
    public val statistics: Statistics by lazy { Statistics.of(runsMs) }
}

/**
 * How far a benchmark has come, with the percentiles so far of the subject that ran last. These sort all samples, so they
 * are computed only on request, while progress is being reported.
 */
public class BenchProgress(public val round: Int, public val rounds: Int, public val name: String, describe: () -> Statistics) {
    public val soFar: Statistics by lazy(LazyThreadSafetyMode.NONE, describe)
}

/** Thrown between two runs when somebody cancelled. */
public class Cancelled : Exception("cancelled")

/**
 * Times subjects in interleaved rounds: heat and other apps then hit all of them alike, and their ratio means something.
 *
 * @param clock nanoseconds, monotonic.
 */
public class Benchmark(
    private val warmups: Int,
    private val rounds: Int,
    private val clock: () -> Long = System::nanoTime,
    private val describe: (List<Double>) -> Statistics = Statistics::of,
) {
    init {
        require(warmups >= 0 && rounds >= 1) { "at least one round is needed" }
    }

    /**
     * @param progress called after each run, on the calling thread; what it does lies between two timed runs.
     * @param cancelled asked before each run.
     * @throws Cancelled as soon as [cancelled] says so.
     */
    public fun run(subjects: List<Subject>, progress: (BenchProgress) -> Unit = {}, cancelled: () -> Boolean = { false }): List<Timing> {
        val opened = subjects.map { subject ->
            stopIf(cancelled)
            subject.prepare()
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
                progress(BenchProgress(round, rounds, one.subject.name) { describe(one.runs) })
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
