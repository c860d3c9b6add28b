package org.pripro.splitkit.tail

import org.junit.After
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import org.pripro.splitkit.Contract
import org.pripro.splitkit.bundle.TensorSpec
import org.pripro.splitkit.refused
import java.io.ByteArrayOutputStream
import java.io.File
import java.net.InetAddress
import java.net.ServerSocket
import java.net.Socket
import java.net.URL
import kotlin.concurrent.thread

/** What the client makes of a tail that misbehaves, on a real socket; TailServerTest asks the real tail. */
class TailClientTest {
    private val server = ServerSocket(0, 50, InetAddress.getByName("127.0.0.1"))
    private val requests = ArrayList<ByteArray>()
    private val pauses = ArrayList<Long>()
    private val spec = TensorSpec("smashed", "float32", listOf(-1, 2, 2, 2))
    private val features = FloatArray(8) { it.toFloat() }
    private val answer = File(Contract.folder, "wire/response.bin").readBytes()
    private val id = "0123456789abcdef".repeat(4)

    @After
    fun close() = server.close()

    /** Answers each connection by the next of [scripts]; the last one repeats. */
    private fun serve(vararg scripts: (Socket) -> Unit) = thread(isDaemon = true) {
        var turn = 0
        while (!server.isClosed) {
            val socket = try {
                server.accept()
            } catch (_: java.io.IOException) {
                return@thread
            }
            try {
                socket.use(scripts[minOf(turn++, scripts.size - 1)])
            } catch (_: java.io.IOException) {
                // the client hung up, which is what some cases want
            }
        }
    }

    private fun client(patience: Patience = Patience(connectMs = 1000, answerMs = 700), token: String? = null) =
        TailClient(URL("http://127.0.0.1:${server.localPort}/v2/models/tail/infer"), id, token, patience = patience, sleep = { pauses.add(it) })

    private fun read(socket: Socket) {
        val head = ByteArrayOutputStream()
        val stream = socket.getInputStream()
        while (!head.toString("ISO-8859-1").endsWith("\r\n\r\n")) head.write(stream.read())
        val lines = head.toString("ISO-8859-1").lowercase().split("\r\n")
        val length = lines.first { it.startsWith("content-length:") }.substringAfter(':').trim().toInt()
        val body = ByteArray(length)
        var got = 0
        while (got < length) got += stream.read(body, got, length - got)
        requests.add(head.toByteArray() + body)
    }

    private fun reply(status: String, body: ByteArray, vararg headers: String): (Socket) -> Unit = { socket ->
        read(socket)
        val text = "HTTP/1.1 $status\r\nContent-Length: ${body.size}\r\nConnection: close\r\n" + headers.joinToString("") { "$it\r\n" } + "\r\n"
        socket.getOutputStream().apply {
            write(text.toByteArray() + body)
            flush()
        }
    }

    private val good = reply("200 OK", answer, "${Wire.HEADER_LENGTH}: 143", "Server-Timing: tail;dur=1.5")

    @Test
    fun anAnswerIsReadAndTheRequestIsTheContracts() {
        serve(good)
        val got = client(token = "secret").infer(features, spec)
        assertEquals(10, got.logits.size)
        assertEquals(1.5, got.tailMs!!, 0.0)
        val text = String(requests.single(), Charsets.ISO_8859_1).lowercase()
        val headers = listOf("content-type: application/octet-stream", "pripro-bundle-id: $id", "authorization: bearer secret")
        for (header in headers) assertTrue(header, header in text)
        val sent = requests.single()
        val expected = Wire.encode(features, spec, id)
        assertArrayEquals(expected.body, sent.copyOfRange(sent.size - expected.body.size, sent.size))
        assertTrue("inference-header-content-length: ${expected.headerLength}\r\n" in text)
    }

    @Test
    fun aBusyTailIsAskedAgainWithGrowingPauses() {
        val busy = reply("503 Service Unavailable", """{"error":"The queue is full; try again."}""".toByteArray())
        serve(busy, busy, good)
        assertEquals(3, client().infer(features, spec).attempts)
        assertEquals(listOf(200L, 400L), pauses)
        assertEquals("the same bytes each time", 1, requests.map { it.toList() }.distinct().size)
    }

    @Test
    fun retryAfterIsHeededWithinReason() {
        val one = reply("503 Service Unavailable", ByteArray(0), "Retry-After: 1")
        val hour = reply("503 Service Unavailable", ByteArray(0), "Retry-After: 3600")
        serve(one, hour, one)
        assertTrue("503" in refused<TailFailed.Busy>("always busy") { client().infer(features, spec) })
        assertEquals(listOf(1000L, 5000L, 1000L), pauses)
    }

    @Test
    fun onlyBusyIsAskedAgain() {
        val kinds = listOf(
            "500 Oops" to TailFailed.Status::class,
            "429 Slow" to TailFailed.Status::class,
            "401 No" to TailFailed.Unauthorised::class,
            "409 No" to TailFailed.OtherBundle::class,
        )
        val body = """{"error":"no","expected":"${"f".repeat(64)}"}""".toByteArray()
        for ((status, kind) in kinds) {
            requests.clear()
            ServerSocket(0, 5, InetAddress.getByName("127.0.0.1")).use { own ->
                val answer = reply(status, body, "WWW-Authenticate: Bearer")
                thread(isDaemon = true) { repeat(3) { runCatching { own.accept().use(answer) } } }
                val url = URL("http://127.0.0.1:${own.localPort}/")
                val client = TailClient(url, id, patience = Patience(1000, 700), sleep = { pauses.add(it) })
                val error = runCatching { client.infer(features, spec) }.exceptionOrNull()
                assertEquals("$status gave $error", kind, error!!::class)
                if (error is TailFailed.OtherBundle) assertEquals("f".repeat(64), error.theirs)
            }
            assertEquals(status, 1, requests.size)
        }
        assertTrue(pauses.isEmpty())
    }

    @Test
    fun aSilentTailRunsIntoTheDeadline() {
        serve({ socket ->
            read(socket)
            Thread.sleep(DRIPS * 100L)
        })
        val start = System.nanoTime()
        refused<TailFailed.TooSlow>("silence") { client().infer(features, spec) }
        assertTrue("the deadline holds", System.nanoTime() - start < DRIPS * 100_000_000L / 2)
    }

    @Test
    fun aDrippingTailRunsIntoTheDeadline() {
        serve({ socket ->
            read(socket)
            socket.getOutputStream().write("HTTP/1.1 200 OK\r\nContent-Length: ${2 * DRIPS}\r\n\r\n".toByteArray())
            repeat(DRIPS) {
                socket.getOutputStream().apply {
                    write(0)
                    flush()
                }
                Thread.sleep(100)
            }
        })
        val start = System.nanoTime()
        refused<TailFailed.TooSlow>("drops of bytes") { client().infer(features, spec) }
        assertTrue("the deadline holds", System.nanoTime() - start < DRIPS * 100_000_000L / 2)
    }

    @Test
    fun aConnectionThatBreaksIsSaidAndNotRepeated() {
        serve({ socket ->
            read(socket)
            socket.getOutputStream().apply {
                write("HTTP/1.1 200 OK\r\nContent-Length: 183\r\n${Wire.HEADER_LENGTH}: 143\r\n\r\n".toByteArray() + answer.copyOf(50))
                flush()
            }
        })
        refused<TailFailed>("half an answer") { client().infer(features, spec) }
        assertEquals(1, requests.size)
    }

    /** Else "network" would hold the set-up of a connection (and of TLS) for each photo. */
    @Test
    fun oneConnectionServesManyPhotos() {
        val connections = java.util.concurrent.atomic.AtomicInteger()
        serve({ socket ->
            connections.incrementAndGet()
            while (true) {
                read(socket)
                val head = "HTTP/1.1 200 OK\r\nContent-Length: ${answer.size}\r\n${Wire.HEADER_LENGTH}: 143\r\n\r\n"
                socket.getOutputStream().apply {
                    write(head.toByteArray() + answer)
                    flush()
                }
            }
        })
        val client = client(Patience(answerMs = 10_000)) // connections are counted here, not milliseconds
        repeat(3) { client.infer(features, spec) }
        assertEquals(3, requests.size)
        assertEquals(1, connections.get())
    }

    @Test
    fun nobodyThereIsSaid() {
        server.close()
        assertTrue("cannot be reached" in refused<TailFailed.Unreachable>("nobody") { client().infer(features, spec) })
    }

    @Test
    fun anEndlessAnswerIsCut() {
        serve({ socket ->
            read(socket)
            val stream = socket.getOutputStream()
            stream.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".toByteArray())
            val junk = ByteArray(1 shl 16)
            repeat(1000) { stream.write(junk) }
        })
        refused<TailFailed>("an endless answer") { client(Patience(1000, 5000)).infer(features, spec) }
    }

    @Test
    fun aRedirectIsNotFollowed() {
        serve(reply("307 Temporary Redirect", ByteArray(0), "Location: http://127.0.0.1:1/"))
        assertTrue("307" in refused<TailFailed.Status>("a redirect") { client().infer(features, spec) })
    }

    private companion object {
        /** One each 100 ms: a minute, so that a busy machine cannot be taken for a client that waited for all. */
        const val DRIPS = 600
    }
}
