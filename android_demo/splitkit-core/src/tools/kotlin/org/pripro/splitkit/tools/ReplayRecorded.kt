package org.pripro.splitkit.tools

import org.pripro.splitkit.SplitKitException
import org.pripro.splitkit.bench.Condition
import org.pripro.splitkit.bench.Device
import org.pripro.splitkit.bench.PhoneState
import org.pripro.splitkit.bench.RowSource
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.head.HeadRunner
import org.pripro.splitkit.parity.Replay
import org.pripro.splitkit.tail.TailAddress
import org.pripro.splitkit.tail.TailClient
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.system.exitProcess

/**
 * The Parity screen's replay on the JVM, with features that a head made elsewhere, such as on ARM64 kernels under an
 * emulator:
 *
 *     java -cp ... org.pripro.splitkit.tools.ReplayRecordedKt BUNDLE "executorch fp32 xnnpack" smashed.f32 URL report.json
 *
 * smashed.f32 holds the head's features for every golden row, little-endian float32. The report says "emulated".
 */
fun main(arguments: Array<String>) {
    if (arguments.size != 5) {
        System.err.println("expected: BUNDLE HEAD smashed.f32 URL report.json")
        exitProcess(2)
    }
    val (folder, title, smashed, url, report) = arguments
    try {
        val bundle = Bundle.open { File(folder, it).inputStream() }
        val head = bundle.manifest.heads.firstOrNull { it.title == title }
            ?: throw SplitKitException("There is no head \"$title\"; the bundle has: ${bundle.manifest.heads.joinToString { it.title }}.")
        File(report).writeText(replay(bundle, head, File(smashed), url))
    } catch (error: SplitKitException) {
        System.err.println(error.message)
        exitProcess(2)
    }
}

private fun replay(bundle: Bundle, head: Head, smashed: File, url: String): String {
    val exact = bundle.tail.inputs.first { it.dtype == "float32" }
    val client = TailClient(TailAddress.resolve(url, bundle.tail.route), bundle.manifest.bundleId)
    val replay = Replay(
        bundle = bundle,
        phone = ThisComputer,
        source = { of, _ -> RowSource(of, "${of.target}, recorded") },
        open = { Recorded(smashed, it.outputs.single().values) },
        tail = { client.infer(it, exact).logits },
    )
    return replay.run(listOf(head), progress = {}, cancelled = { false }).write()
}

/** Gives the recorded rows, one a run, in order. */
private class Recorded(file: File, private val values: Int) : HeadRunner {
    private val rows = ByteBuffer.wrap(file.readBytes()).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()

    override fun run(image: FloatArray, eps: FloatArray?): FloatArray {
        if (rows.remaining() < values) throw SplitKitException("There are fewer recorded rows than golden ones.")
        return FloatArray(values).also { rows.get(it) }
    }

    override fun close() = Unit
}

private object ThisComputer : PhoneState {
    override val device = Device("emulated", "unknown", System.getProperty("os.name"), "unknown", Runtime.getRuntime().availableProcessors())

    override fun condition() = Condition()

    override fun peakMemoryBytes(): Long? = null

    override fun nowUtc(): String = java.time.Instant.now().truncatedTo(java.time.temporal.ChronoUnit.SECONDS).toString()
}
