package org.pripro.splitkit.tail

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Before
import org.junit.Test
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.Safetensors
import org.pripro.splitkit.refused
import java.io.File
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.net.URL
import java.util.Collections
import kotlin.concurrent.thread

/**
 * The client against the real tail. The system properties say where it is (tests/e2e/test_android_tail.py of the project
 * starts it and sets them); without them these tests are skipped.
 *
 *     pripro.tail.bundle    a bundle folder with goldens
 *     pripro.tail.plain     http URL of its tail
 *     pripro.tail.busy      the same with a queue of one and a wait for company of over a second
 *     pripro.tail.secure    https URL of its tail, which asks for pripro.tail.token and whose authority is pripro.tail.ca
 */
class TailServerTest {
    private fun property(name: String): String? = System.getProperty("pripro.tail.$name")

    private val bundle by lazy { File(property("bundle")!!).let { folder -> Bundle.open { File(folder, it).inputStream() } } }
    private val expected by lazy { Safetensors.read("expected", bundle.read(bundle.golden().expected)) }
    private val exact by lazy { bundle.tail.inputs.first { it.dtype == "float32" } }

    @Before
    fun onlyWithATail() {
        assumeTrue("no tail is running; see this class's comment", property("bundle") != null)
        println("against a real tail") // so that whoever started the tail can see that nothing was skipped
    }

    private fun client(url: String, patience: Patience = Patience(), id: String = bundle.manifest.bundleId) =
        TailClient(TailAddress.resolve(url, bundle.tail.route), id, patience = patience)

    private fun smashed(row: Int) = expected.getValue("smashed").row(row)

    @Test
    fun goldenFeaturesGetTheGoldenLogits() {
        val client = client(property("plain")!!)
        for (row in 0 until bundle.golden().n) {
            val wanted = expected.getValue("logits").row(row)
            val got = client.infer(smashed(row), exact).logits
            for (i in wanted.indices) assertEquals("row $row, logit $i", wanted[i], got[i], 1e-4f)
        }
    }

    @Test
    fun theTailSaysHowLongItWorked() {
        val answer = client(property("plain")!!).infer(smashed(0), exact)
        assertTrue("${answer.tailMs} of ${answer.roundTripMs} ms", answer.tailMs!! > 0 && answer.tailMs < answer.roundTripMs)
    }

    @Test
    fun everyEncodingIsUnderstood() {
        val client = client(property("plain")!!)
        for (spec in bundle.tail.inputs.filter(Wire::speaks)) {
            val wanted = expected.getValue("logits").row(0)
            val got = client.infer(smashed(0), spec).logits
            assertEquals(spec.dtype, Answer.top(wanted, emptyList(), 1).single().index, Answer.top(got, emptyList(), 1).single().index)
        }
    }

    @Test
    fun anotherBundlesHeadIsRefusedWithBothIds() {
        val error = runCatching { client(property("plain")!!, id = "ab".repeat(32)).infer(smashed(0), exact) }.exceptionOrNull()
        assertTrue("$error", error is TailFailed.OtherBundle)
        assertEquals(bundle.manifest.bundleId, (error as TailFailed.OtherBundle).theirs)
        assertEquals("ab".repeat(32), error.ours)
    }

    @Test
    fun aFullQueueIsWaitedFor() {
        val first = thread { client(property("busy")!!).infer(smashed(0), exact) }
        Thread.sleep(400) // the first request now waits for company that never comes
        assertTrue("503" in refused<TailFailed.Busy>("a full queue") { client(property("busy")!!, Patience(attempts = 1)).infer(smashed(0), exact) })
        val pauses = Collections.synchronizedList(ArrayList<Long>())
        val patient = TailClient(TailAddress.resolve(property("busy")!!, bundle.tail.route), bundle.manifest.bundleId, sleep = {
            pauses.add(it)
            Thread.sleep(it)
        })
        val answer = patient.infer(smashed(0), exact)
        first.join()
        assertTrue("it was asked ${answer.attempts} times", answer.attempts > 1)
        assertTrue("Retry-After of the real tail is heeded: $pauses", pauses.all { it >= 1000 })
    }

    @Test
    fun aTokenAndAnOwnAuthorityAreAskedFor() {
        val url = TailAddress.resolve(property("secure")!!, bundle.tail.route)
        val trust = File(property("ca")!!).inputStream().use(OwnAuthority::trusting)
        val id = bundle.manifest.bundleId
        assertEquals(expected.getValue("logits").rowValues, TailClient(url, id, property("token"), trust).infer(smashed(0), exact).logits.size)
        refused<TailFailed.Unauthorised>("a wrong token") { TailClient(url, id, "wrong", trust).infer(smashed(0), exact) }
        refused<TailFailed.Unauthorised>("no token") { TailClient(url, id, null, trust).infer(smashed(0), exact) }
        refused<TailFailed.Unreachable>("an unknown authority") { TailClient(url, id, property("token")).infer(smashed(0), exact) }
    }

    @Test
    fun aSlowNetworkRunsIntoTheDeadline() {
        Between(URL(property("plain")!!), delayMs = 2000).use {
            refused<TailFailed.TooSlow>("a slow network") { client(it.url, Patience(answerMs = 500)).infer(smashed(0), exact) }
        }
        Between(URL(property("plain")!!), delayMs = 300).use {
            assertTrue(client(it.url).infer(smashed(0), exact).roundTripMs >= 300)
        }
    }

    @Test
    fun aDroppedConnectionIsSaid() {
        for (bytes in listOf(0, 20, 150)) {
            Between(URL(property("plain")!!), dropAfter = bytes).use {
                refused<TailFailed>("a connection dropped after $bytes bytes") { client(it.url).infer(smashed(0), exact) }
            }
        }
    }

    /** Stands between client and tail, delays the answer or drops the connection within it. */
    private class Between(private val tail: URL, private val delayMs: Long = 0, private val dropAfter: Int = Int.MAX_VALUE) : AutoCloseable {
        private val server = ServerSocket(0, 5, InetAddress.getByName("127.0.0.1"))
        val url = "http://127.0.0.1:${server.localPort}"

        init {
            thread(isDaemon = true) {
                while (true) {
                    val socket = runCatching { server.accept() }.getOrNull() ?: return@thread
                    thread(isDaemon = true) { runCatching { pass(socket) } }
                }
            }
        }

        private fun pass(near: Socket) = near.use {
            Socket(tail.host, tail.port).use { far ->
                val up = thread(isDaemon = true) { runCatching { near.getInputStream().copyTo(far.getOutputStream()) } }
                val buffer = ByteArray(4096)
                var passed = 0
                while (passed < dropAfter) {
                    val count = far.getInputStream().read(buffer)
                    if (count < 0) break
                    if (passed == 0) Thread.sleep(delayMs)
                    val part = minOf(count, dropAfter - passed)
                    near.getOutputStream().write(buffer, 0, part)
                    passed += part
                }
                up.interrupt()
            }
        }

        override fun close() = server.close()
    }
}
