// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.

@_exported import CoreVideo
import Foundation

public final class CMSampleBuffer: @unchecked Sendable {}
public func CMSampleBufferGetImageBuffer(_ buffer: CMSampleBuffer) -> CVPixelBuffer? { fatalError() }

public struct AVMediaType: Sendable { public static let video = AVMediaType() }

open class AVCaptureInput: NSObject {}
open class AVCaptureOutput: NSObject {}
public final class AVCaptureConnection: NSObject {}

public final class AVCaptureDevice: NSObject, @unchecked Sendable {
    public struct DeviceType: Sendable { public static let builtInWideAngleCamera = DeviceType() }
    public enum Position: Int, Sendable { case unspecified, back, front }
    public class func requestAccess(for mediaType: AVMediaType) async -> Bool { fatalError() }
    public class func `default`(_ type: DeviceType, for mediaType: AVMediaType?, position: Position) -> AVCaptureDevice? { fatalError() }
}

public final class AVCaptureDeviceInput: AVCaptureInput {
    public init(device: AVCaptureDevice) throws { fatalError() }
}

public protocol AVCaptureVideoDataOutputSampleBufferDelegate: NSObjectProtocol {
    func captureOutput(_ output: AVCaptureOutput, didOutput sampleBuffer: CMSampleBuffer, from connection: AVCaptureConnection)
}

public final class AVCaptureVideoDataOutput: AVCaptureOutput {
    public override init() { fatalError() }
    public var alwaysDiscardsLateVideoFrames: Bool { get { fatalError() } set { fatalError() } }
    public var videoSettings: [String: Any]! { get { fatalError() } set { fatalError() } }
    public func setSampleBufferDelegate(_ delegate: (any AVCaptureVideoDataOutputSampleBufferDelegate)?, queue: DispatchQueue?) { fatalError() }
}

public final class AVCaptureSession: NSObject, @unchecked Sendable {
    public struct Preset: Sendable { public static let vga640x480 = Preset() }
    public override init() { fatalError() }
    public var sessionPreset: Preset { get { fatalError() } set { fatalError() } }
    public func beginConfiguration() { fatalError() }
    public func commitConfiguration() { fatalError() }
    public func canAddInput(_ input: AVCaptureInput) -> Bool { fatalError() }
    public func canAddOutput(_ output: AVCaptureOutput) -> Bool { fatalError() }
    public func addInput(_ input: AVCaptureInput) { fatalError() }
    public func addOutput(_ output: AVCaptureOutput) { fatalError() }
    public func startRunning() { fatalError() }
    public func stopRunning() { fatalError() }
}
