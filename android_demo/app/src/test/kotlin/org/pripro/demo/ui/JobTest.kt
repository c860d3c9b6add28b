package org.pripro.demo.ui

import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pripro.demo.BundleRefused
import org.pripro.demo.bench.Cancelled
import java.util.ArrayDeque

/** Work that outlives a screen: what each screen sees, and that no failure gets away. */
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
        job.attach(::look)
        assertTrue(job.start { show("half"); "whole" })
        job.detach()
        finish()
        job.attach(::look)
        assertEquals(listOf("rest null null", "running null null", "rest whole null"), seen)
    }

    @Test
    fun partialResultsAreShownAndASecondStartIsNot() {
        job.attach(::look)
        job.start { show("half"); "whole" }
        assertFalse(job.start { "other" })
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
            job.start { work() }
            finish()
            assertTrue("${job.state.error} has no $sentence", sentence in job.state.error!!)
            assertFalse(job.state.running)
        }
        job.start { "again" }
        finish()
        assertEquals("again", job.state.value)
        assertNull(job.state.error)
    }

    @Test
    fun aCancelledRunKeepsWhatItHadAndSaysWhy() {
        job.start {
            show("half")
            if (cancelled()) throw Cancelled()
            "whole"
        }
        job.cancel("You left the screen.")
        finish()
        assertEquals("half", job.state.value)
        assertEquals("You left the screen.", job.state.error)
    }
}
