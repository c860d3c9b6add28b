package org.pripro.splitkit.bench

/**
 * One frame at a time: frames that come while one is being worked on are dropped, never queued, so that what is shown is never late.
 * Counts both, and gives the rate of the last second or so.
 *
 * @param clock nanoseconds, monotonic.
 */
public class FrameRate(private val clock: () -> Long = System::nanoTime) {
    private val ends = ArrayDeque<Long>()
    private var isBusy = false

    /** Frames that were worked on, and frames that were dropped, since the start. */
    @get:Synchronized
    public var done: Int = 0
        private set

    @get:Synchronized
    public var dropped: Int = 0
        private set

    /** Whether this frame may be worked on; [end] follows then. A frame that may not is counted as dropped. */
    @Synchronized
    public fun begin(): Boolean {
        if (isBusy) {
            dropped++
            return false
        }
        isBusy = true
        return true
    }

    /** The frame is done with, well or badly. */
    @Synchronized
    public fun end() {
        isBusy = false
        done++
        ends.addLast(clock())
        while (ends.size > MOST) ends.removeFirst()
    }

    /** Frames a second over the last frames; 0 until two are done. */
    @Synchronized
    public fun perSecond(): Double = if (ends.size < 2) 0.0 else (ends.size - 1) / ((ends.last() - ends.first()) / 1e9)

    private companion object {
        const val MOST = 16
    }
}
