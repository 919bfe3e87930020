# frozen_string_literal: true

require "json"

# What the agent says to any process.
module Orders
  # A message without members or descriptors.
  def say(name)
    ControlChannel.send(@control, { message: name }, [])
  end

  # Asks a preloader for a worker.
  def spawn(slots: 1, ticket: 1)
    worker = SpawnedWorker.new(slots)
    ControlChannel.send(@control, { message: "spawn", ticket: ticket, slots: slots }, worker.theirs)
    worker.theirs.each(&:close)
    worker
  end

  def receive(timeout = 20) = ControlChannel.receive(@control, timeout)

  def close_control = @control.close
end

# A process as the agent starts it: boot.rb with a control channel on descriptor 3. The test is its agent.
class Child
  include Orders

  RUBY = RbConfig.ruby
  BOOT = File.expand_path("../../lib/passenger/boot.rb", __dir__)

  attr_reader :pid, :output

  def initialize(root, env: {})
    @control, theirs = Socket.pair(:UNIX, :SEQPACKET, 0)
    @output, writer = IO.pipe
    base = { "RACK_ENV" => "test", "BUNDLE_GEMFILE" => nil, "RUBYOPT" => nil,
             "PASSENGER_RUBY_EXT" => File.expand_path(ENV.fetch("PASSENGER_RUBY_EXT")) }
    redirections = { 3 => theirs, in: File::NULL, out: writer, err: writer }
    @root = root
    @pid = Process.spawn(base.merge(env), RUBY, BOOT, chdir: root, pgroup: true, **redirections)
    [theirs, writer].each(&:close)
  end

  # Tells the process to load the application. +slots+ are the other ends of their data channels, for direct spawning.
  def load(startup_file: "config.ru", slots: nil, **options)
    app = { root: @root, startup_file: File.join(@root, startup_file), environment: "test", multithread: false,
            show_errors: false, **options.slice(:multithread, :show_errors) }
    message = { message: "load", protocol: options.fetch(:protocol, 2), app: app, slots: slots&.size }
    ControlChannel.send(@control, message, slots || [])
  end

  # The first message that is called so; the others before it are dropped.
  def wait_for(name)
    loop do
      message = receive or raise "the channel ended before #{name}; output:\n#{@output.read}"
      return message if message[:message] == name
      raise "failed: #{message}" if message[:message] == "failed"
    end
  end

  # Waits for the end; the Process::Status.
  def status(timeout = 20)
    Timeout.timeout(timeout) { @status ||= Process.wait2(@pid).last }
  end

  def stop
    @control.close
    status(5)
  rescue Timeout::Error
    Process.kill("KILL", @pid)
    status
  end
end

# A worker that a preloader has forked.
class SpawnedWorker
  include Orders

  attr_reader :control, :output, :slots, :theirs
  attr_accessor :pid

  def initialize(slots)
    @control, control = Socket.pair(:UNIX, :SEQPACKET, 0)
    @output, output = IO.pipe
    pairs = Array.new(slots) { UNIXSocket.pair }
    @slots = pairs.map { |ours, _| AgentEnd.new(ours) }
    @theirs = [control, output, *pairs.map(&:last)]
  end

  def wait_for(name)
    loop do
      message = receive or raise "the worker's channel ended before #{name}; output:\n#{output.read}"
      return message if message[:message] == name
    end
  end

  def close = @slots.each(&:close)
end

# Messages as docs/protocol.md has them.
module ControlChannel
  module_function

  def send(socket, message, descriptors)
    controls = descriptors.empty? ? [] : [Socket::AncillaryData.unix_rights(*descriptors)]
    socket.sendmsg(JSON.generate(message), 0, nil, *controls)
  end

  # nil at the end of the channel. (The error comes first, once, when the process left without reading all.)
  def receive(socket, timeout)
    raise Timeout::Error, "no message within #{timeout} s" unless socket.wait_readable(timeout)

    packet = socket.recv(1 << 16)
    JSON.parse(packet, symbolize_names: true) unless packet.nil? || packet.empty?
  rescue Errno::ECONNRESET
    retry
  end
end
