#if canImport(CoreAI)
    import CoreAI
    import Foundation
    import SplitKit

    @available(iOS 27.0, macOS 27.0, macCatalyst 27.0, *)
    extension HeadRuntime {
        /// Core AI, on the processors that it chooses.
        public static var coreAI: HeadRuntime {
            HeadRuntime(accepts: { $0.target == "coreai" }) { head, file in try await CoreAIHead(head, at: file) }
        }
    }

    /// A Core AI head: an .aimodel of the bundle, specialised by the system when it is opened for the first time.
    ///
    /// Inputs and output are looked up by the names that the manifest gives. Core AI answers asynchronously and a head is run
    /// from a thread of its caller, so `smashed` waits: do not call it from the main actor.
    ///
    /// Source: Apple's documentation of Core AI (iOS 27), read in November 2026; it has not run on a device yet.
    @available(iOS 27.0, macOS 27.0, macCatalyst 27.0, *)
    public final class CoreAIHead: HeadRunner {
        public let runtime: String
        private let function: InferenceFunction
        private let image: Manifest.TensorSpec
        private let eps: Manifest.TensorSpec?
        private let output: Manifest.TensorSpec

        /// Opens a head whose files are checked already.
        ///
        /// - Throws: `BundleError` for a head that is not for Core AI, or a model without its function; Core AI's own error.
        public init(_ head: Manifest.Head, at file: URL) async throws {
            guard head.target == "coreai" else {
                throw BundleError("\(head.target) heads do not run on Core AI; choose a head with the target coreai.")
            }
            func input(_ name: String) throws -> Manifest.TensorSpec? {
                guard let spec = head.inputs.first(where: { $0.name == name }) else { return nil }
                guard spec.dtype == .float32 else {
                    throw BundleError("The head's input \(spec.name) is \(spec.dtype.rawValue), expected float32; convert it anew.")
                }
                return spec
            }
            guard let image = try input("image"), let output = head.outputs.first, output.dtype == .float32 else {
                throw BundleError("The head has no input image and float32 output; convert it anew.")
            }
            guard let function = try await AIModel(contentsOf: file).loadFunction(named: "main") else {
                throw BundleError("The head's model has no function main; convert it anew.")
            }
            (self.function, self.image, eps, self.output) = (function, image, try input("eps"), output)
            let system = ProcessInfo.processInfo.operatingSystemVersion
            runtime = "Core AI of \(system.majorVersion).\(system.minorVersion)"
        }

        public func smashed(image: [Float], eps: [Float]) throws -> [Float] {
            var given = [(self.image, image)]
            if let noise = self.eps {
                given.append((noise, eps))
            } else if !eps.isEmpty {
                throw BundleError("This head takes no noise, but \(eps.count) values came.")
            }
            for (spec, values) in given where values.count != (try spec.itemCount()) {
                throw BundleError("The head's input \(spec.name) takes \(try spec.itemCount()) values, \(values.count) came.")
            }
            let (inputs, function, output) = (given, self.function, self.output)
            let values = try waiting { try await Self.run(function, inputs, output) }
            return output.scale == nil ? values : try SmashedEncoding.features(codes: values, output: output)
        }

        private static func run(
            _ function: InferenceFunction, _ given: [(Manifest.TensorSpec, [Float])], _ output: Manifest.TensorSpec
        ) async throws -> [Float] {
            var inputs: [String: NDArray] = [:]
            for (spec, values) in given { inputs[spec.name] = NDArray(scalars: values, shape: [1] + spec.shape.dropFirst()) }
            var answer = try await function.run(inputs: inputs)
            guard let value = answer.remove(output.name), let array = value.ndArray, array.scalarType == .float32 else {
                throw BundleError("The head gave no float32 output named \(output.name); convert it anew.")
            }
            return try array.contiguousFloats(output.name)
        }
    }

    @available(iOS 27.0, macOS 27.0, macCatalyst 27.0, *)
    extension NDArray {
        /// The values in C order, whatever strides Core AI chose.
        fileprivate func contiguousFloats(_ name: String) throws -> [Float] {
            let view = view(as: Float.self)
            guard view.interleaveLayout == nil else {
                throw BundleError("Core AI interleaved the output \(name), which this app does not read; choose a Core ML head.")
            }
            return view.withUnsafePointer { memory, sizes, steps in
                let axes = Array(sizes.indices)
                return rowMajor(sizes: axes.map { sizes[$0] }, steps: axes.map { steps[$0] }) { memory[$0] }
            }
        }
    }

    /// What an asynchronous piece of work gives, waited for on this thread.
    private func waiting<Value: Sendable>(_ work: @escaping @Sendable () async throws -> Value) throws -> Value {
        let answer = Answer<Value>()
        Task.detached {
            answer.result = await Result { try await work() }
            answer.ready.signal()
        }
        answer.ready.wait()
        guard let result = answer.result else { throw CancellationError() }
        return try result.get()
    }

    /// Written before the signal, read after it.
    private final class Answer<Value: Sendable>: @unchecked Sendable {
        let ready = DispatchSemaphore(value: 0)
        var result: Result<Value, any Error>?
    }

    extension Result where Failure == any Error {
        fileprivate init(_ work: () async throws -> Success) async {
            do { self = .success(try await work()) } catch { self = .failure(error) }
        }
    }
#endif
