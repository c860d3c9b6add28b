package org.pripro.splitkit.tools

import org.pripro.splitkit.SplitClient
import org.pripro.splitkit.SplitKitException
import org.pripro.splitkit.SplitOptions
import org.pripro.splitkit.answer.Reading
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.CanonicalJson
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.head.HeadFiles
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.head.HeadRunner
import org.pripro.splitkit.head.HeadRuntime
import org.pripro.splitkit.head.Runtimes
import org.pripro.splitkit.noise.DeviceSecret
import org.pripro.splitkit.parity.AcceleratorTrial
import org.pripro.splitkit.photo.Pixels
import org.pripro.splitkit.tail.Wire
import java.io.DataInputStream
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.system.exitProcess

/**
 * The whole way of photos on the JVM: prepared, noise drawn with the goldens' secret, the head run by another process, what it gives
 * sent as the bundle asks for, the answer read by the bundle's task.
 *
 *     java -cp ... org.pripro.splitkit.tools.ClassifyPhotosKt BUNDLE photos.rgb URL COMMAND...
 *
 * photos.rgb holds photos of the size of the head's input, red, green, blue. COMMAND, followed by the head's file, must answer the
 * head's inputs on its standard input, as little-endian float32, with the bytes of its output.
 */
fun main(arguments: Array<String>) {
    if (arguments.size < 4) {
        System.err.println("expected: BUNDLE photos.rgb URL COMMAND...")
        exitProcess(2)
    }
    val (folder, photos, url) = arguments
    try {
        val bundle = Bundle.open { File(folder, it).inputStream() }
        val secret = DeviceSecret.of(checkNotNull(bundle.golden().secretHex).chunked(2).map { it.toInt(16).toByte() }.toByteArray())
        val runtimes = Runtimes(listOf(ProcessRuntime(arguments.drop(3))))
        val storage = File.createTempFile("heads", "").apply { delete() }
        try {
            SplitClient(bundle, url, storage, SplitOptions(secret = secret), runtimes).use { client ->
                val answers = read(bundle, File(photos)).map { photo -> classify(client, photo) }
                val trials = AcceleratorTrial(bundle, runtimes.of(client.head), HeadFiles(bundle, storage)::install).run(client.head, 1)
                println(CanonicalJson.write(mapOf("photos" to answers, "trials" to trials.map { mapOf("passed" to it.passed, "says" to it.says) })))
            }
        } finally {
            storage.deleteRecursively()
        }
    } catch (error: SplitKitException) {
        System.err.println(error.message)
        exitProcess(2)
    }
}

private fun read(bundle: Bundle, file: File): List<Pixels> {
    val how = bundle.manifest.preprocess
    val bytes = file.readBytes()
    val size = how.width * how.height
    val value = { at: Int -> bytes[at].toInt() and 255 }
    return (0 until bytes.size / (3 * size)).map { photo ->
        val argb = IntArray(size) {
            val at = 3 * (photo * size + it)
            0xff shl 24 or (value(at) shl 16) or (value(at + 1) shl 8) or value(at + 2)
        }
        Pixels(how.width, how.height, argb)
    }
}

private fun classify(client: SplitClient, photo: Pixels): Map<String, Any?> {
    val features = client.protect(photo)
    val answer = client.ask(features)
    return mapOf(
        "smashed" to features.smashed.map { it.toDouble() },
        "logits" to answer.logits.map { it.toDouble() },
        "outputs" to answer.outputs.map { it.spec.name },
        "classes" to (answer.reading as? Reading.Segments)?.classes?.toList(),
        "lines" to answer.reading.lines,
        "bytes_sent" to answer.bytesSent,
    )
}

/** Runs ONNX heads in another process, for as long as the head is open. */
private class ProcessRuntime(private val command: List<String>) : HeadRuntime {
    override val name = "process"
    override val rank = 0

    override fun accepts(head: Head) = head.target == "onnx" && head.precision == "fp32"

    override fun open(head: Head, file: File, options: HeadOptions): HeadRunner {
        val process = ProcessBuilder(command + file.path).redirectError(ProcessBuilder.Redirect.INHERIT).start()
        val output = head.outputs.single()
        return object : HeadRunner {
            override fun run(image: FloatArray, eps: FloatArray?): FloatArray {
                process.outputStream.write(Wire.littleEndian(image))
                if (eps != null) process.outputStream.write(Wire.littleEndian(eps))
                process.outputStream.flush()
                val isCodes = output.dtype == "uint8"
                val bytes = ByteArray(output.values * if (isCodes) 1 else 4).also(DataInputStream(process.inputStream)::readFully)
                if (isCodes) return Wire.features(bytes, output)
                return FloatArray(output.values).also { ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(it) }
            }

            override fun close() {
                process.outputStream.close()
                process.waitFor()
            }
        }
    }
}
