import ExecuTorch
import Foundation
import SplitKit

/// An ExecuTorch head: a .pte of the bundle, its hash checked before it is opened.
final class ExecuTorchHead: HeadRunner {
    let runtime = "ExecuTorch"
    private let module: Module
    private let inputs: [Manifest.TensorSpec]
    private let output: Manifest.TensorSpec

    /// - Throws: `BundleError` for a head that is missing, changed or not for ExecuTorch; ExecuTorch's own error.
    init(_ head: Manifest.Head, in bundle: ModelBundle) throws {
        guard head.target == "executorch" else {
            throw BundleError("\(head.target) heads do not run on ExecuTorch; choose a head with the target executorch.")
        }
        guard let output = head.outputs.first else { throw BundleError("The head has no output; convert it anew.") }
        let file = try bundle.checkedEntry(of: head)
        module = Module(filePath: file.path)
        try module.load("forward")
        inputs = head.inputs
        self.output = output
    }

    func smashed(image: [Float], eps: [Float]) throws -> [Float] {
        var values: [Tensor<Float>] = []
        for spec in inputs {
            let floats = spec.name == "eps" ? eps : image
            guard floats.count == (try spec.itemCount()) else {
                throw BundleError("The head's input \(spec.name) takes \(try spec.itemCount()) values, \(floats.count) came.")
            }
            values.append(Tensor<Float>(floats, shape: [1] + spec.shape.dropFirst()))
        }
        let answer = try module.forward(values).first
        if output.dtype == .uint8 {
            guard let codes: Tensor<UInt8> = answer?.tensor() else {
                throw BundleError("The head gave no uint8 tensor; convert it anew.")
            }
            return try SmashedEncoding.features(codes: codes.scalars(), output: output)
        }
        guard let features: Tensor<Float> = answer?.tensor() else {
            throw BundleError("The head gave no float32 tensor; convert it anew.")
        }
        return features.scalars()
    }
}
