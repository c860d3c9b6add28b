package org.pripro.splitkit.tail

import org.pripro.splitkit.bundle.Json
import org.pripro.splitkit.bundle.JsonException
import org.pripro.splitkit.bundle.TensorSpec
import org.pripro.splitkit.bundle.readAtMost
import java.io.IOException
import java.net.HttpRetryException
import java.net.HttpURLConnection
import java.net.SocketTimeoutException
import java.net.URL
import java.util.Timer
import java.util.concurrent.TimeUnit
import java.util.concurrent.atomic.AtomicBoolean
import javax.net.ssl.HttpsURLConnection
import javax.net.ssl.SSLSocketFactory
import kotlin.concurrent.schedule
import kotlin.concurrent.thread

/** How patient the client is. */
public data class Patience(
    val connectMs: Int = 3_000,
    /** From the start of an attempt to the last byte of its answer. */
    val answerMs: Long = 10_000,
    /** How often a busy tail (503) is asked in all. */
    val attempts: Int = 4,
    /** First pause between two attempts; it doubles, unless Retry-After asks for more. */
    val firstPauseMs: Long = 200,
    val longestPauseMs: Long = 5_000,
)

/** The tail's answer: logits, and how long it took. */
public class TailAnswer(public val logits: FloatArray, public val roundTripMs: Double, public val tailMs: Double?, public val bytesSent: Int, public val attempts: Int)

/**
 * Sends smashed features to the tail. Blocking: call it off the main thread.
 *
 * Only 503 is tried again: it means that the tail did no work, and the same bytes are sent again. Whether to repeat a
 * request whose connection broke, and which may have been answered, is left to the person in front of the phone.
 *
 * @param url the full address of the infer route.
 * @param token bearer token, or null.
 * @param trust for https with a certificate authority of your own; null takes the system's.
 * @param longestAnswer bytes after which an answer is cut off; masks and heatmaps are longer than logits.
 */
public class TailClient(
    private val url: URL,
    private val bundleId: String,
    private val token: String? = null,
    private val trust: SSLSocketFactory? = null,
    private val patience: Patience = Patience(),
    private val longestAnswer: Int = LONGEST_ANSWER,
    private val sleep: (Long) -> Unit = Thread::sleep,
) {
    /**
     * @param smashed one item's features.
     * @param spec the encoding to send them in.
     * @throws TailFailed with a sentence for the screen.
     */
    public fun infer(smashed: FloatArray, spec: TensorSpec): TailAnswer = infer(Wire.encode(smashed, spec, bundleId))

    /** The same, entropy-coded. */
    public fun infer(smashed: FloatArray, encoding: CodedEncoding): TailAnswer = infer(Wire.encode(smashed, encoding, bundleId))

    private fun infer(request: WireRequest): TailAnswer {
        var pause = patience.firstPauseMs
        for (attempt in 1..patience.attempts) {
            val start = System.nanoTime()
            when (val reply = exchange(request)) {
                is Reply.Answer -> {
                    val elapsed = (System.nanoTime() - start) / 1e6
                    val logits = Wire.decode(reply.headerLength, reply.body)
                    if (logits.items != request.items) {
                        throw TailFailed.BadAnswer("it answers ${logits.items} items, ${request.items} were sent")
                    }
                    return TailAnswer(logits.values, elapsed, reply.tailMs, request.body.size, attempt)
                }
                is Reply.Busy -> if (attempt < patience.attempts) {
                    sleep(minOf(patience.longestPauseMs, maxOf(pause, reply.retryAfterMs)))
                    pause *= 2
                }
            }
        }
        throw TailFailed.Busy(patience.attempts)
    }

    private sealed class Reply {
        class Answer(val headerLength: String?, val body: ByteArray, val tailMs: Double?) : Reply()

        class Busy(val retryAfterMs: Long) : Reply()
    }

    private fun exchange(request: WireRequest): Reply {
        val connection = url.openConnection() as HttpURLConnection
        val late = AtomicBoolean(false)
        val start = System.nanoTime()
        // HttpURLConnection's read timeout restarts with each byte, so a dripping server needs a deadline of its own
        val deadline = DEADLINES.schedule(patience.answerMs) {
            late.set(true)
            hangUp(connection)
        }
        val inTime = {
            val isOver = System.nanoTime() - start > TimeUnit.MILLISECONDS.toNanos(patience.answerMs)
            if (isOver || late.get()) throw TailFailed.TooSlow(patience.answerMs, null)
        }
        var isWhole = false
        try {
            val reply = exchange(connection, request, inTime)
            inTime() // a connection that the deadline cut may look like an answer that ends early
            isWhole = true
            return reply
        } catch (error: HttpRetryException) {
            if (error.responseCode() == 401) throw TailFailed.Unauthorised()
            throw TailFailed.Status(error.responseCode(), "it wants another request")
        } catch (error: IOException) {
            if (late.get() || error is SocketTimeoutException) throw TailFailed.TooSlow(patience.answerMs, error)
            throw TailFailed.Unreachable("${url.host}:${portOf(url)}", error.message ?: error.javaClass.simpleName, error)
        } finally {
            deadline.cancel()
            // an exchange that ended well leaves its connection open, so that the next one needs no set-up
            if (!isWhole) hangUp(connection)
        }
    }

    /** On a thread of its own: the JDK first reads on, for as long as drops come, and whoever closes waits for that. */
    private fun hangUp(connection: HttpURLConnection) {
        thread(isDaemon = true, name = "tail hang-up") { connection.disconnect() }
    }

    /** @param inTime asked between reads: a reader of drops can keep disconnect() out for as long as they come. */
    private fun exchange(connection: HttpURLConnection, request: WireRequest, inTime: () -> Unit): Reply {
        prepare(connection, request)
        connection.outputStream.use { it.write(request.body) }
        val status = connection.responseCode
        val stream = if (status == 200) connection.inputStream else connection.errorStream
        val body = if (stream == null) ByteArray(0) else stream.readAtMost(longestAnswer, inTime) ?: throw TailFailed.BadAnswer("it is longer than any answer")
        stream?.close() // of an answer that was read to its end; any other is hung up on
        return when (status) {
            200 -> {
                val tailMs = ServerTiming.milliseconds(connection.getHeaderField("Server-Timing"))
                Reply.Answer(connection.getHeaderField(Wire.HEADER_LENGTH), body, tailMs)
            }
            503 -> Reply.Busy(retryAfterMs(connection))
            401 -> throw TailFailed.Unauthorised()
            409 -> throw TailFailed.OtherBundle(bundleId, member(body, "expected"))
            else -> throw TailFailed.Status(status, said(body))
        }
    }

    private fun prepare(connection: HttpURLConnection, request: WireRequest) {
        if (trust != null && connection is HttpsURLConnection) connection.sslSocketFactory = trust
        connection.requestMethod = "POST"
        connection.connectTimeout = patience.connectMs
        connection.readTimeout = patience.answerMs.toInt()
        connection.instanceFollowRedirects = false
        connection.useCaches = false
        connection.doOutput = true
        // streaming also keeps the platform from silently sending a POST twice
        connection.setFixedLengthStreamingMode(request.body.size)
        connection.setRequestProperty("Content-Type", "application/octet-stream")
        connection.setRequestProperty("Accept-Encoding", "identity")
        connection.setRequestProperty(Wire.HEADER_LENGTH, request.headerLength.toString())
        connection.setRequestProperty(Wire.BUNDLE_HEADER, bundleId)
        if (!token.isNullOrEmpty()) connection.setRequestProperty("Authorization", "Bearer $token")
    }

    private fun retryAfterMs(connection: HttpURLConnection): Long {
        val seconds = connection.getHeaderField("Retry-After")?.trim()?.toDoubleOrNull() ?: return 0
        return if (seconds > 0) (seconds * 1000).coerceAtMost(patience.longestPauseMs.toDouble()).toLong() else 0
    }

    private fun said(body: ByteArray): String =
        (member(body, "error") ?: String(body, Charsets.UTF_8)).take(300).ifEmpty { "it says nothing more" }

    /** One text of a JSON answer, or null where it is not JSON or has none. */
    private fun member(body: ByteArray, key: String): String? = try {
        (Json.parse(body) as? Map<*, *>)?.get(key) as? String
    } catch (_: JsonException) {
        null
    }

    public companion object {
        /** Bytes of the longest answer that a client takes unless it is told otherwise. */
        public const val LONGEST_ANSWER: Int = 8 shl 20
        private val DEADLINES = Timer("tail deadlines", true)

        private fun portOf(url: URL): Int = if (url.port == -1) url.defaultPort else url.port
    }
}
