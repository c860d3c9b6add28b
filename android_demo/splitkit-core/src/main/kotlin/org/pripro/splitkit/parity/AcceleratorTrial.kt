package org.pripro.splitkit.parity

import org.pripro.splitkit.SplitKitException
import org.pripro.splitkit.bench.Cancelled
import org.pripro.splitkit.bundle.Bundle
import org.pripro.splitkit.bundle.Head
import org.pripro.splitkit.bundle.Safetensors
import org.pripro.splitkit.head.Accelerator
import org.pripro.splitkit.head.HeadOptions
import org.pripro.splitkit.head.HeadRunner
import org.pripro.splitkit.head.HeadRuntime
import java.io.File
import kotlin.math.abs
import kotlin.math.log10
import kotlin.math.max

/**
 * How the goldens came out on one accelerator.
 *
 * @param passed whether it may be used for photos.
 * @param says the figure that decided, or why it did not run.
 * @param ranOn what really ran, where the runtime says so.
 */
public class Trial(public val accelerator: Accelerator, public val passed: Boolean, public val says: String, public val ranOn: String?)

/**
 * Parity first: an accelerator is offered only if the golden photos come out as eager torch has them. GPUs and NPUs compute in
 * half precision or less, or leave an operator out, and a head that is wrong there is wrong silently.
 *
 * The limits are those of `pripro verify` for photos: of an fp32 head the largest difference, of the others the signal to noise
 * ratio in dB; of heads that emit codes what half a step of a code does not explain, and behind a waist the share of codes that
 * are the same.
 */
public class AcceleratorTrial(private val bundle: Bundle, private val runtime: HeadRuntime, private val install: (Head) -> File) {
    private val inputs = Safetensors.read("golden inputs", bundle.read(bundle.golden().inputs))
    private val expected = Safetensors.read("golden outputs", bundle.read(bundle.golden().expected))
    private val photos = Safetensors.rowNames(bundle.read(bundle.golden().inputs)).let { names ->
        (0 until bundle.golden().n).filter { it >= names.size || names[it] == PHOTO }
    }

    /** The CPU and what else the phone offers, in turn. */
    public fun run(head: Head, threads: Int, cancelled: () -> Boolean = { false }): List<Trial> {
        val file = install(head)
        return runtime.accelerators().sorted().map { accelerator ->
            if (cancelled()) throw Cancelled()
            try {
                runtime.open(head, file, HeadOptions(threads, accelerator)).use { judge(head, it, accelerator) }
            } catch (error: SplitKitException) {
                Trial(accelerator, passed = false, says = error.message ?: "it does not run", ranOn = null)
            }
        }
    }

    private fun judge(head: Head, runner: HeadRunner, accelerator: Accelerator): Trial {
        val codes = HeadCodes.of(head, bundle)
        if (codes != null && codes.isCoarse) return judgeCodes(codes, head, runner, accelerator)
        var signal = 0.0
        var noise = 0.0
        var difference = 0.0
        var peak = 0.0
        for (row in photos) {
            val wanted = expected.getValue("smashed").row(row)
            val found = runner.run(inputs.getValue("image").row(row), inputs["eps"]?.row(row))
            if (codes != null) {
                for (i in wanted.indices) {
                    wanted[i] = codes.cut(wanted[i], i)
                    found[i] = codes.withoutRounding(found[i], wanted[i], i)
                }
            }
            for (i in wanted.indices) {
                val off = found[i].toDouble() - wanted[i]
                signal += wanted[i].toDouble() * wanted[i]
                noise += off * off
                // NaN compares as neither larger nor smaller, and must not pass
                difference = if (off.isNaN()) Double.POSITIVE_INFINITY else max(difference, abs(off))
                peak = max(peak, abs(wanted[i].toDouble()))
            }
        }
        val limit = bundle.golden().tolerances[head.precision] ?: throw SplitKitException("The goldens have no tolerance for ${head.precision}; make them anew.")
        // fp32 heads on a GPU or NPU compute in half precision: the limit of fp16 is theirs
        if (head.precision == "fp32" && accelerator == Accelerator.CPU) {
            val allowed = limit * max(1.0, peak / UNIT_PEAK)
            return Trial(accelerator, difference <= allowed, "largest difference %.1e, at most %.1e".format(difference, allowed), runner.ranOn)
        }
        val least = if (head.precision == "fp32") bundle.golden().tolerances["fp16"] ?: HALF_DB else limit
        val ratio = if (difference.isInfinite()) Double.NEGATIVE_INFINITY else 10 * log10(signal / max(noise, 1e-30))
        return Trial(accelerator, ratio >= least, "%.1f dB, at least %.1f".format(ratio, least), runner.ranOn)
    }

    /** Behind a waist: how many codes are eager torch's, over all and in the weakest channel. */
    private fun judgeCodes(codes: HeadCodes, head: Head, runner: HeadRunner, accelerator: Accelerator): Trial {
        val same = IntArray(codes.channels)
        val all = IntArray(codes.channels)
        for (row in photos) {
            val wanted = expected.getValue("smashed").row(row)
            val found = runner.run(inputs.getValue("image").row(row), inputs["eps"]?.row(row))
            for (i in wanted.indices) {
                all[codes.channel(i)]++
                if (!found[i].isNaN() && codes.code(found[i], i) == codes.code(wanted[i], i)) same[codes.channel(i)]++
            }
        }
        val share = same.sum().toDouble() / max(all.sum(), 1)
        val weakest = same.indices.minOf { same[it].toDouble() / max(all[it], 1) }
        // fp32 heads on a GPU or NPU compute in half precision: the limit of fp16 is theirs
        val least = HeadCodes.leastSame(if (head.precision == "fp32" && accelerator != Accelerator.CPU) "fp16" else head.precision)
        val says = "%.1f %% of the codes are the same, %.1f %% in the weakest channel, at least %.1f".format(100 * share, 100 * weakest, 100 * least)
        return Trial(accelerator, share >= least && weakest >= least - HeadCodes.LOCAL, says, runner.ranOn)
    }

    private companion object {
        const val PHOTO = "photo"
        const val UNIT_PEAK = 10.0
        const val HALF_DB = 50.0
    }
}
