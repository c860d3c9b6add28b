package org.pripro.splitkit.tools

import org.pripro.splitkit.SplitKitException
import org.pripro.splitkit.bundle.CanonicalJson
import org.pripro.splitkit.bundle.ManifestReader
import org.pripro.splitkit.tail.Answer
import org.pripro.splitkit.tail.TailAddress
import org.pripro.splitkit.tail.TailClient
import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.system.exitProcess

/**
 * The app's client on the JVM: sends smashed features that some head made and prints the tail's logits as JSON.
 *
 *     java -cp ... org.pripro.splitkit.tools.SendSmashedKt smashed.f32 manifest.json http://127.0.0.1:8080 [float32|uint8|float16]
 *
 * smashed.f32 holds one item's features or several, little-endian float32; each item is one request, as on the phone.
 */
fun main(arguments: Array<String>) {
    if (arguments.size !in 3..4) {
        System.err.println("expected: smashed.f32 manifest.json URL [float32|uint8|float16]")
        exitProcess(2)
    }
    try {
        println(send(File(arguments[0]), File(arguments[1]), arguments[2], arguments.getOrElse(3) { "float32" }))
    } catch (error: SplitKitException) {
        System.err.println(error.message)
        exitProcess(2)
    } catch (error: IOException) {
        System.err.println("a file cannot be read: ${error.message}")
        exitProcess(2)
    }
}

private fun send(smashed: File, manifestFile: File, url: String, encoding: String): String {
    val manifest = ManifestReader.read(manifestFile.readBytes())
    val tail = manifest.tail ?: throw SplitKitException("The bundle has no tail yet; run pripro package on it.")
    val spec = tail.inputs.firstOrNull { it.dtype == encoding }
        ?: throw SplitKitException("The tail takes ${tail.inputs.joinToString { it.dtype }}, not $encoding.")
    val bytes = smashed.readBytes()
    if (bytes.isEmpty() || bytes.size % (4 * spec.values) != 0) {
        throw SplitKitException("${smashed.name} has ${bytes.size} bytes; expected a multiple of ${4 * spec.values}, one item's float32 features.")
    }
    val values = FloatArray(bytes.size / 4).also { ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(it) }
    val client = TailClient(TailAddress.resolve(url, tail.route), manifest.bundleId)
    val answers = (0 until values.size / spec.values).map { client.infer(values.copyOfRange(it * spec.values, (it + 1) * spec.values), spec) }
    return CanonicalJson.write(
        mapOf(
            "bundle_id" to manifest.bundleId,
            "logits" to answers.map { answer -> answer.logits.map { it.toDouble() } },
            "top1" to answers.map { Answer.top(it.logits, manifest.labels, 1).single().label },
            "bytes_sent" to answers.map { it.bytesSent },
        ),
    )
}
