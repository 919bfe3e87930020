# frozen_string_literal: true

require_relative "agent_end"

# A slot that is served by the real RequestHandler in a thread of this process; the test is its agent.
class Slot < AgentEnd
  attr_reader :thread

  def initialize(rack_app, show_errors: false, multithread: false)
    ours, theirs = UNIXSocket.pair
    super(ours)
    theirs.autoclose = false
    app = Passenger::App.new(root: "/", startup_file: "/config.ru", environment: "test", show_errors: show_errors,
                             multithread: multithread)
    @handler = Passenger::RequestHandler.new(theirs.fileno, app, rack_app)
    @thread = Thread.new { @handler.serve }
    @thread.report_on_exception = false
  end

  def exchange(...)
    stress { super }
  end

  def shutdown = @handler.shutdown

  # Waits until the handler's thread waits: for a request, or in the application.
  def wait_until_blocked
    Thread.pass until @thread.stop?
  end

  # Waits until the handler is through with the request before, what comes after its answer included.
  def exchange_done
    close_write
    @thread.join(10) or raise "the slot does not end"
  end

  # Raises what ended the thread.
  def close
    super
    @thread.join(10) or raise "the slot does not end"
  end

  private

  # Collects garbage at every allocation, after everything that may move was moved. (Not GC.auto_compact: with it Ruby
  # 3.1 loses what this side receives.)
  def stress
    return yield unless ENV["GC_STRESS"]

    GC.compact
    GC.stress = true
    yield
  ensure
    GC.stress = false
  end
end
