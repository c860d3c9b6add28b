package org.pripro.demo.ui

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pripro.splitkit.BundleRefused
import org.pripro.splitkit.bench.Cancelled
import java.util.ArrayDeque

/** Work that outlives a screen: what each screen sees, and that no failure is lost. */
class JobTest {
    private val worker = ArrayDeque<Runnable>()
    private val main = ArrayDeque<Runnable>()
    private val job = Job<String>({ worker.add(it) }, { main.add(it) })
    private val seen = ArrayList<String>()

    private fun look(state: Job.State<String>) {
        seen.add("${if (state.running) "running" else "rest"} ${state.value} ${state.error}")
    }

    private fun drain(queue: ArrayDeque<Runnable>) {
        while (true) (queue.poll() ?: return).run()
    }

    private fun finish() {
        drain(worker)
        drain(main)
    }

    @Test
    fun aRotatedScreenSeesTheRunningWorkAndItsEnd() {
        job.attach("screen", ::look)
        assertTrue(job.start("screen") { show("half"); "whole" })
        job.detach("screen")
        finish()
        job.attach("screen", ::look)
        assertEquals(listOf("rest null null", "running null null", "rest whole null"), seen)
    }

    @Test
    fun partialResultsAreShownAndASecondStartIsNot() {
        job.attach("screen", ::look)
        job.start("screen") { show("half"); "whole" }
        assertFalse(job.start("screen") { "other" })
        finish()
        assertEquals(listOf("rest null null", "running null null", "running half null", "rest whole null"), seen)
    }

    @Test
    fun everyFailureBecomesASentence() {
        val failures = listOf<Pair<() -> String, String>>(
            { throw BundleRefused("The bundle was edited.") } to "The bundle was edited.",
            { throw OutOfMemoryError() } to "too little free memory",
            { throw SecurityException("no") } to "does not allow it",
            { throw IllegalStateException("odd") } to "Something unexpected happened (IllegalStateException: odd).",
        )
        for ((work, sentence) in failures) {
            job.start("screen") { work() }
            finish()
            assertTrue("${job.state.error} has no $sentence", sentence in job.state.error!!)
            assertFalse(job.state.running)
        }
        job.start("screen") { "again" }
        finish()
        assertEquals("again", job.state.value)
        assertNull(job.state.error)
    }

    @Test
    fun aCancelledRunKeepsWhatItHadAndSaysWhy() {
        job.start("screen") {
            show("half")
            if (cancelled()) throw Cancelled()
            "whole"
        }
        job.cancel("screen", "You left the screen.")
        finish()
        assertEquals("half", job.state.value)
        assertEquals("You left the screen.", job.state.error)
    }

    /** adb's run starts on top of the Benchmark screen, which then leaves: it must not take the other's job with it. */
    @Test
    fun aScreenThatLeavesStopsAndBlindsNobodyElse() {
        job.attach("benchmark") {}
        job.start("adb") {
            if (cancelled()) throw Cancelled()
            "whole"
        }
        job.attach("adb", ::look)
        job.cancel("benchmark", "You left the screen.")
        job.detach("benchmark")
        finish()
        assertEquals(listOf("running null null", "rest whole null"), seen)
    }
}
