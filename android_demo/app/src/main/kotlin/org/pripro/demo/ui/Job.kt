package org.pripro.demo.ui

import org.pripro.splitkit.SplitKitException
import org.pripro.splitkit.bench.Cancelled
import java.util.concurrent.Executor

/**
 * One piece of work that may outlive the screen that started it: a rotated screen attaches again and sees the same state.
 * All but the work itself happens on the main thread.
 *
 * A job belongs to the screen that started it: only that one can stop it, and a screen that leaves detaches no view but its
 * own. Screens are named by text, because a rotated screen is another object.
 *
 * @param post runs something on the main thread.
 */
class Job<T>(private val worker: Executor, private val post: (Runnable) -> Unit) {
    /** What a screen draws. [value] is the latest whole or partial result. */
    class State<T>(val running: Boolean, val value: T?, val error: String?)

    @Volatile private var stopping: String? = null
    private val observers = LinkedHashMap<String, (State<T>) -> Unit>()
    private var owner: String? = null
    private var shownAt = 0L

    var state = State<T>(running = false, value = null, error = null)
        private set

    /** Draws the present state at once, and every later one until [detach]. */
    fun attach(screen: String, observer: (State<T>) -> Unit) {
        observers[screen] = observer
        observer(state)
    }

    fun detach(screen: String) {
        observers.remove(screen)
    }

    /** Starts the work for that screen unless some is running, and says whether it did. */
    fun start(screen: String, work: Work<T>.() -> T): Boolean {
        if (state.running) return false
        stopping = null
        owner = screen
        show(State(running = true, value = null, error = null))
        worker.execute {
            val end = attempt(work)
            post(Runnable { show(end) })
        }
        return true
    }

    /** Asks running work to end if it is that screen's own; [why] is then shown. */
    fun cancel(screen: String, why: String) {
        if (state.running && screen == owner) stopping = why
    }

    /** What the work sees of its job. */
    inner class Work<R> internal constructor(private val publish: (R) -> Unit) {
        fun cancelled(): Boolean = stopping != null

        /** Shows a partial result, whatever the rate. */
        fun show(partial: R) = publish(partial)

        /** Shows a partial result unless one was shown just now: drawing must not disturb what is timed. */
        fun tick(partial: () -> R) {
            val now = System.nanoTime()
            if (now - shownAt < PAUSE_NS) return
            shownAt = now
            publish(partial())
        }
    }

    private fun attempt(work: Work<T>.() -> T): State<T> {
        var partial: T? = null
        val handle = Work<T> { value ->
            partial = value
            post(Runnable { if (state.running) show(State(running = true, value = value, error = null)) })
        }
        return try {
            State(running = false, value = handle.work(), error = null)
        } catch (_: Cancelled) {
            State(running = false, value = partial, error = stopping)
        } catch (error: SplitKitException) {
            State(running = false, value = partial, error = error.message)
        } catch (_: OutOfMemoryError) {
            State(running = false, value = null, error = OUT_OF_MEMORY)
        } catch (error: SecurityException) {
            State(running = false, value = partial, error = "The phone does not allow it (${error.message}); choose the photo again.")
        } catch (error: Exception) {
            // a fault of this app: the screen stays, and says what to report
            val what = "${error.javaClass.simpleName}: ${error.message}"
            State(running = false, value = partial, error = "Something unexpected happened ($what).")
        }
    }

    private fun show(next: State<T>) {
        state = next
        observers.values.toList().forEach { it(next) }
    }

    private companion object {
        const val PAUSE_NS = 250_000_000L
        const val OUT_OF_MEMORY =
            "The phone has too little free memory for this head; close other apps, or use a bundle that is cut earlier."
    }
}
