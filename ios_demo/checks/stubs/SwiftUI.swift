// STUB: the signatures that the sources use, so that Linux can type-check them. Never linked, never shipped.\n
@_exported import Foundation
import Observation
import UIKit

@MainActor @preconcurrency
public protocol View {
    associatedtype Body: View
    @ViewBuilder var body: Body { get }
}

extension Never: View { public var body: Never { return fatalError() } }

/// Every concrete view of this stub.
@MainActor
public struct SomeView: View { public var body: Never { return fatalError() } }

extension Optional: View where Wrapped: View { public var body: Never { return fatalError() } }

@resultBuilder
public struct ViewBuilder {
    public static func buildExpression<V: View>(_ view: V) -> V { view }
    public static func buildBlock() -> SomeView { fatalError() }
    public static func buildBlock<each V: View>(_ views: repeat each V) -> SomeView { fatalError() }
    public static func buildIf<V: View>(_ view: V?) -> V? { view }
    public static func buildEither<V: View>(first: V) -> SomeView { fatalError() }
    public static func buildEither<V: View>(second: V) -> SomeView { fatalError() }
}

@MainActor @preconcurrency
public protocol Scene {
    associatedtype Body: Scene
    @SceneBuilder var body: Body { get }
}

extension Never: Scene {}

@resultBuilder
public struct SceneBuilder {
    public static func buildBlock<S: Scene>(_ scene: S) -> S { scene }
}

@MainActor
public struct WindowGroup: Scene {
    public init<V: View>(@ViewBuilder content: () -> V) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor @preconcurrency
public protocol App {
    associatedtype Body: Scene
    @SceneBuilder var body: Body { get }
    init()
}

extension App { public static func main() { fatalError() } }

@propertyWrapper @dynamicMemberLookup
public struct Binding<Value> {
    public init(get: @escaping () -> Value, set: @escaping (Value) -> Void) { fatalError() }
    public var wrappedValue: Value { get { fatalError() } nonmutating set { fatalError() } }
    public var projectedValue: Binding<Value> { self }
    public subscript<T>(dynamicMember path: WritableKeyPath<Value, T>) -> Binding<T> { fatalError() }
}

@propertyWrapper
public struct State<Value> {
    public init(wrappedValue: Value) { fatalError() }
    public var wrappedValue: Value { get { fatalError() } nonmutating set { fatalError() } }
    public var projectedValue: Binding<Value> { fatalError() }
}

extension State where Value: ExpressibleByNilLiteral { public init() { fatalError() } }

@propertyWrapper @dynamicMemberLookup
public struct Bindable<Value: AnyObject & Observable> {
    public init(wrappedValue: Value) { fatalError() }
    public var wrappedValue: Value
    public var projectedValue: Bindable<Value> { self }
    public subscript<T>(dynamicMember path: ReferenceWritableKeyPath<Value, T>) -> Binding<T> { fatalError() }
}

@MainActor @preconcurrency
public struct DismissAction { public func callAsFunction() { fatalError() } }

public struct EnvironmentValues { @MainActor @preconcurrency public var dismiss: DismissAction { fatalError() } }

@propertyWrapper
public struct Environment<Value> {
    public init(_ keyPath: KeyPath<EnvironmentValues, Value>) { fatalError() }
    public init(_ type: Value.Type) where Value: AnyObject & Observable { fatalError() }
    public var wrappedValue: Value { fatalError() }
}

public struct Color: Sendable { public static let red = Color() }
public struct Font: Sendable {
    public static let caption = Font()
    public func monospaced() -> Font { self }
}
public struct Edge: Sendable {}
public struct HorizontalAlignment: Sendable { public static let leading = HorizontalAlignment() }
public struct BorderedProminentButtonStyle { public init() {} }
public protocol PrimitiveButtonStyle {}
extension BorderedProminentButtonStyle: PrimitiveButtonStyle {}
extension PrimitiveButtonStyle where Self == BorderedProminentButtonStyle {
    public static var borderedProminent: BorderedProminentButtonStyle { fatalError() }
}

extension View {
    public func tabItem<V: View>(@ViewBuilder _ label: () -> V) -> some View { SomeView() }
    public func environment<T: AnyObject & Observable>(_ object: T?) -> some View { SomeView() }
    public func tag<T: Hashable>(_ tag: T) -> some View { SomeView() }
    public func autocorrectionDisabled(_ disable: Bool = true) -> some View { SomeView() }
    public func font(_ font: Font?) -> some View { SomeView() }
    public func foregroundStyle(_ style: Color) -> some View { SomeView() }
    public func padding() -> some View { SomeView() }
    public func onDisappear(perform action: (@MainActor () -> Void)? = nil) -> some View { SomeView() }
    public func task(_ action: @escaping @MainActor @Sendable () async -> Void) -> some View { SomeView() }
    public func frame(maxHeight: CGFloat?) -> some View { SomeView() }
    public func buttonStyle<S: PrimitiveButtonStyle>(_ style: S) -> some View { SomeView() }
    public func scaledToFit() -> some View { SomeView() }
    public func onChange<V: Equatable>(of value: V, initial: Bool = false, _ action: @escaping (V, V) -> Void) -> some View { SomeView() }
    public func sheet<V: View>(isPresented: Binding<Bool>, onDismiss: (() -> Void)? = nil, @ViewBuilder content: @escaping () -> V) -> some View { SomeView() }
}

@MainActor
public struct Text: View {
    public init<S: StringProtocol>(_ text: S) { fatalError() }
    public init<F: FormatStyle>(_ input: F.FormatInput, format: F) where F.FormatInput: Equatable, F.FormatOutput == String { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct Image: View {
    public enum Interpolation: Sendable { case none, low, medium, high }
    public init(uiImage: UIImage) { fatalError() }
    public init(decorative: CGImage, scale: CGFloat) { fatalError() }
    public func interpolation(_ interpolation: Interpolation) -> Image { fatalError() }
    public func resizable() -> Image { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct Label: View {
    public init<S: StringProtocol>(_ title: S, systemImage: String) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct TabView: View {
    public init<V: View>(@ViewBuilder content: () -> V) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct Form: View {
    public init<V: View>(@ViewBuilder content: () -> V) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct ScrollView: View {
    public init<V: View>(@ViewBuilder content: () -> V) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct Section: View {
    public init<S: StringProtocol, V: View>(_ title: S, @ViewBuilder content: () -> V) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct VStack: View {
    public init<V: View>(alignment: HorizontalAlignment = .leading, spacing: CGFloat? = nil, @ViewBuilder content: () -> V) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct HStack: View {
    public init<V: View>(spacing: CGFloat? = nil, @ViewBuilder content: () -> V) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct Spacer: View {
    public init() { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct ForEach: View {
    public init<D: RandomAccessCollection, V: View>(_ data: D, @ViewBuilder content: @escaping (D.Element) -> V) where D.Element: Identifiable { fatalError() }
    public init<D: RandomAccessCollection, ID: Hashable, V: View>(_ data: D, id: KeyPath<D.Element, ID>, @ViewBuilder content: @escaping (D.Element) -> V) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct Button: View {
    public init<S: StringProtocol>(_ title: S, action: @escaping @MainActor () -> Void) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct Picker: View {
    public init<S: StringProtocol, T: Hashable, V: View>(_ title: S, selection: Binding<T>, @ViewBuilder content: () -> V) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct Toggle: View {
    public init<S: StringProtocol>(_ title: S, isOn: Binding<Bool>) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct Stepper: View {
    public init<S: StringProtocol, V: Strideable>(_ title: S, value: Binding<V>, in bounds: ClosedRange<V>, step: V.Stride = 1) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct TextField: View {
    public init<S: StringProtocol>(_ title: S, text: Binding<String>) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct SecureField: View {
    public init<S: StringProtocol>(_ title: S, text: Binding<String>) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct ProgressView: View {
    public init() { fatalError() }
    public init<V: BinaryFloatingPoint>(value: V?, total: V = 1) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor
public struct ShareLink: View {
    public init<S: StringProtocol>(_ title: S, item: URL) { fatalError() }
    public var body: Never { return fatalError() }
}

@MainActor @preconcurrency
public protocol UIViewControllerRepresentable: View where Body == Never {
    associatedtype UIViewControllerType: UIViewController
    associatedtype Coordinator = Void
    typealias Context = UIViewControllerRepresentableContext<Self>
    func makeUIViewController(context: Context) -> UIViewControllerType
    func updateUIViewController(_ controller: UIViewControllerType, context: Context)
    func makeCoordinator() -> Coordinator
}

extension UIViewControllerRepresentable { public var body: Never { return fatalError() } }

@MainActor
public struct UIViewControllerRepresentableContext<R: UIViewControllerRepresentable> {
    public var coordinator: R.Coordinator { fatalError() }
}
