package org.pripro.splitkit.head

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pripro.splitkit.HeadFailed
import org.pripro.splitkit.refused

/** A pool that dies under open heads, as ExecuTorch's does, and the rule that keeps apps from touching the dead one. */
class SharedPoolTest {
    /** What the native library does: one pool for all, replaced by a load with another count. */
    private class Native {
        var count = 0
        var pool = Any()
        var alive = 0

        fun load(threads: Int): HeadRunner {
            if (threads != count) pool = Any()
            count = threads
            alive++
            return Loaded(pool)
        }

        inner class Loaded(private val mine: Any) : HeadRunner {
            override val ranOn = "native"

            override fun run(image: FloatArray, eps: FloatArray?): FloatArray {
                if (mine !== pool) throw AssertionError("use after free: the head's pool is gone")
                return image
            }

            override fun close() {
                alive--
            }
        }
    }

    private val native = Native()
    private val pool = SharedPool()
    private val image = FloatArray(1)

    private fun open(threads: Int) = pool.open(threads) { native.load(threads) }

    @Test
    fun withoutTheRuleTheLibraryIsUsedAfterItsPoolIsFreed() {
        val classify = native.load(2)
        native.load(4).close()
        refused<AssertionError>("a run on the old pool") { classify.run(image, null) }
    }

    @Test
    fun classifyGoesOnAfterABenchmarkWithAnotherCount() {
        val classify = open(2)
        classify.run(image, null)
        val bench = open(4)
        bench.run(image, null)
        bench.close()
        classify.run(image, null)
        assertEquals(1, native.alive)
        classify.close()
        assertEquals(0, native.alive)
    }

    @Test
    fun headsOfTwoCountsTakeTurnsWithoutTouchingAFreedPool() {
        val two = open(2)
        val four = open(4)
        repeat(3) {
            two.run(image, null)
            four.run(image, null)
        }
        assertEquals("one of them is open at a time", 1, native.alive)
    }

    @Test
    fun headsOfOneCountStayOpenTogether() {
        val a = open(2)
        val b = open(2)
        a.run(image, null)
        b.run(image, null)
        assertEquals(2, native.alive)
        assertEquals("native", a.ranOn)
    }

    @Test
    fun aClosedHeadIsSaidToBeClosed() {
        val head = open(2)
        head.close()
        assertTrue("closed" in refused<HeadFailed>("a closed head") { head.run(image, null) })
        assertEquals(0, native.alive)
    }
}
