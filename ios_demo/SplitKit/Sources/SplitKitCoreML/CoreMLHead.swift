#if canImport(CoreML)
    import CoreML
    import Foundation
    import SplitKit

    /// Which processors Core ML may use.
    public enum ComputeUnits: String, CaseIterable, Sendable {
        case all, cpu, cpuAndGPU = "cpu+gpu", cpuAndNeuralEngine = "cpu+ane"

        var value: MLComputeUnits {
            switch self {
            case .all: .all
            case .cpu: .cpuOnly
            case .cpuAndGPU: .cpuAndGPU
            case .cpuAndNeuralEngine: .cpuAndNeuralEngine
            }
        }
    }

    extension HeadRuntime {
        /// Core ML on the processors that are chosen.
        public static func coreML(_ units: ComputeUnits = .all) -> HeadRuntime {
            HeadRuntime(accepts: { $0.target == "coreml" }, prepare: CoreMLHead.compiled) { head, file in
                try await CoreMLHead(head, compiled: file, units: units)
            }
        }
    }

    /// A Core ML head: an .mlpackage of the bundle, compiled on this device, its hashes checked before.
    ///
    /// Inputs and output are looked up by the names that the manifest gives. The input arrays are allocated once; a call
    /// copies into them and reads the output where Core ML left it.
    public final class CoreMLHead: HeadRunner {
        public let runtime: String
        private let model: MLModel
        private let compiled: URL
        private let units: ComputeUnits
        private let image: Input
        private let eps: Input?
        private let output: Manifest.TensorSpec
        private let inputs: MLDictionaryFeatureProvider

        /// One input and the memory that it keeps between calls.
        private struct Input {
            let array: MLMultiArray
            let spec: Manifest.TensorSpec
            let count: Int

            init(_ spec: Manifest.TensorSpec) throws {
                guard spec.dtype == .float32 else {
                    throw BundleError("The head's input \(spec.name) is \(spec.dtype.rawValue), expected float32; convert it anew.")
                }
                self.spec = spec
                count = try spec.itemCount()
                let shape = [1] + spec.shape.dropFirst()
                array = try MLMultiArray(shape: shape.map { NSNumber(value: $0) }, dataType: .float32)
            }

            func fill(_ values: [Float]) throws {
                guard values.count == count else {
                    throw BundleError("The head's input \(spec.name) takes \(count) values, \(values.count) came.")
                }
                array.withUnsafeMutableBytes { memory, _ in
                    values.withUnsafeBytes { memory.copyMemory(from: $0) }
                }
            }

            func wipe() {
                array.withUnsafeMutableBytes { memory, _ in _ = memory.initializeMemory(as: UInt8.self, repeating: 0) }
            }
        }

        /// A head's compiled model, its hashes checked before; compiled once on this version of the system.
        ///
        /// - Throws: `BundleError` for a head that is missing or changed; Core ML's own error.
        public static func compiled(_ head: Manifest.Head, in bundle: ModelBundle) async throws -> URL {
            let package = try bundle.checkedEntry(of: head)
            return try await CompiledModels().model(of: head) { try await MLModel.compileModel(at: package) }
        }

        /// Checks, compiles and opens a head.
        ///
        /// - Throws: `BundleError` for a head that is missing, changed or not for Core ML; Core ML's own error.
        public convenience init(_ head: Manifest.Head, in bundle: ModelBundle, units: ComputeUnits = .all) async throws {
            try await self.init(head, compiled: Self.compiled(head, in: bundle), units: units)
        }

        /// Opens a compiled head.
        ///
        /// - Throws: `BundleError` for a head that is not for Core ML; Core ML's own error.
        public init(_ head: Manifest.Head, compiled: URL, units: ComputeUnits) async throws {
            guard head.target == "coreml" else {
                throw BundleError("\(head.target) heads do not run on Core ML; choose a head with the target coreml.")
            }
            self.compiled = compiled
            self.units = units
            model = try await MLModel.load(contentsOf: compiled, configuration: Self.configuration(units))
            func input(_ name: String) throws -> Input? {
                try head.inputs.first { $0.name == name }.map(Input.init)
            }
            guard let image = try input("image"), let output = head.outputs.first, output.dtype == .float32 else {
                throw BundleError("The head has no input image and float32 output; convert it anew.")
            }
            self.image = image
            eps = try input("eps")
            self.output = output
            var features: [String: Any] = [image.spec.name: image.array]
            if let eps { features[eps.spec.name] = eps.array }
            inputs = try MLDictionaryFeatureProvider(dictionary: features)
            let system = ProcessInfo.processInfo.operatingSystemVersion
            runtime = "Core ML of \(system.majorVersion).\(system.minorVersion), \(units.rawValue)"
        }

        private static func configuration(_ units: ComputeUnits) -> MLModelConfiguration {
            let configuration = MLModelConfiguration()
            configuration.computeUnits = units.value
            return configuration
        }

        public func smashed(image: [Float], eps: [Float]) throws -> [Float] {
            defer { self.eps?.wipe() }
            // otherwise Objective-C's temporaries would pile up for as long as a benchmark runs
            return try autoreleasepool { try run(image, eps) }
        }

        private func run(_ image: [Float], _ eps: [Float]) throws -> [Float] {
            try self.image.fill(image)
            if let noise = self.eps {
                try noise.fill(eps)
            } else if !eps.isEmpty {
                throw BundleError("This head takes no noise, but \(eps.count) values came.")
            }
            let answer = try model.prediction(from: inputs)
            guard let array = answer.featureValue(for: output.name)?.multiArrayValue, array.dataType == .float32 else {
                throw BundleError("The head gave no float32 output named \(output.name); convert it anew.")
            }
            let values = array.contiguousFloats()
            return try output.scale == nil ? values : SmashedEncoding.features(codes: values, output: output)
        }

        /// How many operators Core ML means to run on each kind of processor.
        ///
        /// - Throws: Core ML's own error.
        public func plan(isolation: isolated (any Actor)? = #isolation) async throws -> [String: Int] {
            let plan = try await MLComputePlan.load(contentsOf: compiled, configuration: Self.configuration(units))
            guard case .program(let program) = plan.modelStructure, let main = program.functions["main"] else { return [:] }
            var counts: [String: Int] = [:]
            for operation in main.block.operations where operation.operatorName != "const" {
                let unit: String
                switch plan.deviceUsage(for: operation)?.preferred {
                case .cpu: unit = "CPU"
                case .gpu: unit = "GPU"
                case .neuralEngine: unit = "Neural Engine"
                case nil: unit = "not said"
                @unknown default: unit = "another unit"
                }
                counts[unit, default: 0] += 1
            }
            return counts
        }
    }

    extension MLMultiArray {
        /// The values in C order, whatever strides Core ML chose (the neural engine pads rows).
        fileprivate func contiguousFloats() -> [Float] {
            let sizes = shape.map(\.intValue)
            let steps = strides.map(\.intValue)
            return withUnsafeBytes { raw in
                let memory = raw.bindMemory(to: Float.self)
                var dense = 1
                let isDense = zip(sizes, steps).reversed().allSatisfy { size, step in
                    defer { dense *= size }
                    return size == 1 || step == dense
                }
                if isDense { return Array(memory.prefix(count)) }
                return rowMajor(sizes: sizes, steps: steps) { memory[$0] }
            }
        }
    }
#endif
