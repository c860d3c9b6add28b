package org.pripro.splitkit.tail

import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pripro.splitkit.Contract
import org.pripro.splitkit.refused

class AddressAndAnswerTest {
    @Test
    fun addressAndRouteAreJoined() {
        val route = "/v2/models/tail/infer"
        assertEquals("https://tail.example:8443/v2/models/tail/infer", TailAddress.resolve(" https://tail.example:8443/ ", route).toString())
        assertEquals("http://127.0.0.1:8080/v2/models/tail/infer", TailAddress.resolve("http://127.0.0.1:8080", route).toString())
    }

    @Test
    fun featuresGoInTheClearToThisPhoneAndToListedPrivateHostsOnly() {
        for (case in Contract.rows("phone/addresses.json")) {
            val url = case["url"] as String
            val listed = (case["listed"] as List<*>).map { it as String }.toSet()
            if (case["verdict"] == "accept") {
                TailAddress.resolve(url, "/x", listed)
            } else {
                refused<TailFailed.BadAddress>("$url with $listed") { TailAddress.resolve(url, "/x", listed) }
            }
        }
        assertTrue("encrypted" in refused<TailFailed.BadAddress>("http") { TailAddress.resolve("http://tail.example", "/x") })
    }

    @Test
    fun probabilitiesSumToOneAndDoNotOverflow() {
        val probability = Answer.softmax(floatArrayOf(1000f, 999f, -1000f))
        assertEquals(1.0, probability.sum(), 1e-12)
        assertEquals(0.7310585786300049, probability[0], 1e-12)
    }

    @Test
    fun theBestComeFirstAndTiesGoToTheLowerIndex() {
        val top = Answer.top(floatArrayOf(1f, 3f, 3f, 2f), listOf("a", "b", "c"), 3)
        assertEquals(listOf("b", "c", "class 3"), top.map { it.label })
    }

    @Test
    fun serverTimingIsReadWhereItIsGiven() {
        assertEquals(12.5, ServerTiming.milliseconds("queue;dur=2.5, infer;desc=\"run\";dur=10")!!, 1e-9)
        assertNull(ServerTiming.milliseconds(null))
        assertNull(ServerTiming.milliseconds("miss"))
    }
}
