# frozen_string_literal: true

# A slot that is served by the real RequestHandler in a thread of this process; the test is its agent.
class Slot
  # Descriptors that came with the frames received so far.
  attr_reader :files, :thread

  def initialize(app, show_errors: false, multithread: false)
    @agent, worker = UNIXSocket.pair
    worker.autoclose = false
    passenger_app = Passenger::App.new(root: "/", startup_file: "/config.ru", environment: "test",
                                       show_errors: show_errors, multithread: multithread)
    @handler = Passenger::RequestHandler.new(worker.fileno, passenger_app, app)
    @bytes = String.new
    @files = []
    @thread = Thread.new { @handler.serve }
    @thread.report_on_exception = false
  end

  def write(bytes, file: nil)
    return @agent.write(bytes) unless file

    sent = @agent.sendmsg(bytes, 0, nil, Socket::AncillaryData.unix_rights(file))
    @agent.write(bytes.byteslice(sent..))
  end

  # Sends a request as Frames.request makes it, and returns all frames of its answer.
  def exchange(target = "/", stream: 258, file: nil, **request)
    stress do
      write(Frames.request(target, stream: stream, **request), file: file)
      receive_answer(stream)
    end
  end

  def receive_answer(stream = 258)
    frames = [receive]
    frames << receive until frames.last.end?
    raise "frames of other streams: #{frames.map(&:stream)}" unless frames.all? { |frame| frame.stream == stream }

    frames
  end

  # The next frame.
  def receive
    Timeout.timeout(20) do
      loop do
        frame = Frames.take(@bytes)
        return frame if frame

        receive_bytes
      end
    end
  end

  # Whether something arrives within some seconds.
  def quiet?(seconds = 0.1)
    @bytes.empty? && !@agent.wait_readable(seconds)
  end

  # Waits until the handler is through with the request before, what comes after its answer included.
  def exchange_done
    close_write
    @thread.join(10) or raise "the slot does not end"
  end

  def close_write = @agent.shutdown(Socket::SHUT_WR)
  def shutdown = @handler.shutdown

  # Closes the channel; raises what ended the thread.
  def close
    @agent.close
    @thread.join(10) or raise "the slot does not end"
  end

  private

  def receive_bytes
    bytes, _, _, *controls = @agent.recvmsg(1 << 20, 0, 4096, scm_rights: true)
    raise EOFError, "the slot has closed its channel" if bytes.nil? || bytes.empty?

    @files.concat(controls.flat_map(&:unix_rights))
    @bytes << bytes
  end

  def stress
    return yield unless ENV["GC_STRESS"]

    GC.auto_compact = true
    GC.stress = true
    yield
  ensure
    GC.stress = false
  end
end
