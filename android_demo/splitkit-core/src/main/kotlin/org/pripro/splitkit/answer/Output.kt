package org.pripro.splitkit.answer

import org.pripro.splitkit.bundle.TensorSpec
import org.pripro.splitkit.tail.TailFailed

/** One output of the network, in the order of the spec's shape without the batch. */
public class Output(public val spec: TensorSpec, public val values: FloatArray) {
    /** Its shape without the batch, such as [K] or [K,h,w]. */
    public val shape: List<Int> get() = spec.shape.drop(1)

    public companion object {
        /**
         * Takes a tail's answer apart: the tail sends all outputs of the network, one behind the other.
         *
         * @throws TailFailed.BadAnswer another number of values than the outputs have.
         */
        public fun apart(answer: FloatArray, specs: List<TensorSpec>): List<Output> {
            val wanted = specs.sumOf { it.values }
            if (answer.size != wanted) throw TailFailed.BadAnswer("it holds ${answer.size} values, the bundle's outputs have $wanted")
            var at = 0
            return specs.map { spec -> Output(spec, answer.copyOfRange(at, at + spec.values)).also { at += spec.values } }
        }
    }
}
