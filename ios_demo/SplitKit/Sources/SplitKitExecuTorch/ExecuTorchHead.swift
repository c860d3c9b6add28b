#if canImport(ExecuTorch)
    import ExecuTorch
    import Foundation
    import SplitKit

    extension HeadRuntime {
        /// ExecuTorch: which delegates it holds depends on the products that the app links.
        public static var executorch: HeadRuntime {
            HeadRuntime(accepts: { $0.target == "executorch" }) { head, file in try ExecuTorchHead(head, file: file) }
        }
    }

    /// An ExecuTorch head: a .pte of the bundle, its hash checked before it is opened.
    public final class ExecuTorchHead: HeadRunner {
        public let runtime = "ExecuTorch"
        private let module: Module
        private let inputs: [Manifest.TensorSpec]
        private let output: Manifest.TensorSpec

        /// - Throws: `BundleError` for a head that is not for ExecuTorch; ExecuTorch's own error.
        public init(_ head: Manifest.Head, file: URL) throws {
            guard head.target == "executorch" else {
                throw BundleError("\(head.target) heads do not run on ExecuTorch; choose a head with the target executorch.")
            }
            guard let output = head.outputs.first else { throw BundleError("The head has no output; convert it anew.") }
            // mapped: its weights are read in place, and the system may drop pages that it can read again
            module = Module(filePath: file.path, loadMode: .mmap)
            try module.load("forward")
            inputs = head.inputs
            self.output = output
        }

        public func smashed(image: [Float], eps: [Float]) throws -> [Float] {
            // otherwise Objective-C's temporaries would pile up for as long as a benchmark runs
            try autoreleasepool { try run(image, eps) }
        }

        private func run(_ image: [Float], _ eps: [Float]) throws -> [Float] {
            var values: [Tensor<Float>] = []
            for spec in inputs {
                let floats = spec.name == "eps" ? eps : image
                guard floats.count == (try spec.itemCount()) else {
                    throw BundleError("The head's input \(spec.name) takes \(try spec.itemCount()) values, \(floats.count) came.")
                }
                values.append(Tensor<Float>(floats, shape: [1] + spec.shape.dropFirst()))
            }
            let answer = try module.forward(values).first
            if output.dtype == .uint8 {  // bundles of before 2026-11-28
                guard let codes: Tensor<UInt8> = answer?.tensor() else {
                    throw BundleError("The head gave no uint8 tensor; convert it anew.")
                }
                return try SmashedEncoding.features(codes: codes.scalars(), output: output)
            }
            guard let features: Tensor<Float> = answer?.tensor() else {
                throw BundleError("The head gave no float32 tensor; convert it anew.")
            }
            let answered = features.scalars()
            return output.scale == nil ? answered : try SmashedEncoding.features(codes: answered, output: output)
        }
    }
#endif
