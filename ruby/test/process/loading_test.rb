# frozen_string_literal: true

require_relative "process_test_case"

class LoadingTest < ProcessTestCase
  # What a process says that cannot load the application, and its exit status.
  def failure(**options)
    child = start(**options.slice(:env))
    begin
      child.load(**options.except(:env))
    rescue Errno::EPIPE
      nil # it has given up already
    end
    message = child.receive
    message = child.receive while message && %w[hello progress].include?(message[:message])
    refute_nil message, -> { "no message, but output: #{child.output.read}" }
    assert_equal ["failed", 1], [message[:message], child.status.exitstatus]
    message
  end

  def test_exceptions
    app("config.ru" => "require_relative 'lib/broken'\n", "lib/broken.rb" => <<~RUBY)
      begin
        Integer("x")
      rescue ArgumentError
        raise IOError, "can't start\nat all"
      end
    RUBY
    message = failure

    assert_equal ["loading config.ru", "IOError: can't start"], message.values_at(:step, :reason)
    assert_match(%r{\AIOError: can't start\nat all\n    #{@root}/lib/broken.rb:4:in `rescue in}, message[:output])
    assert_match(/Caused by ArgumentError: invalid value for Integer/, message[:output])
    refute_includes message[:output], "passenger/boot.rb"
  end

  def test_errors_that_are_no_standard_errors
    {
      "def (" => /\ASyntaxError: /,
      "require 'missing/library'" => %r{\ALoadError: cannot load such file -- missing/library},
      "exit 3" => /\ASystemExit: the application called exit\(3\)/,
      "raise NotImplementedError" => /\ANotImplementedError\z/,
      "raise Exception, 'odd'" => /\AException: odd/,
      "raise \"\\xff\\x00 \" + 'x' * 100_000" => /\ARuntimeError: /
    }.each do |code, reason|
      app("config.ru" => code)

      assert_match reason, failure[:reason]
    end
  end

  def test_a_missing_startup_file
    assert_match(/config.ru/, failure(startup_file: "config.ru")[:reason])
  end

  def test_another_protocol
    app("config.ru" => "run ->(_) {}")

    assert_match(/the agent speaks control protocol 99, this gem .* speaks 2/, failure(protocol: 99)[:reason])
  end

  def test_a_missing_extension
    app("config.ru" => "run ->(_) {}")
    message = failure(env: { "PASSENGER_RUBY_EXT" => "/nonexistent/passenger_ruby.so" })

    assert_equal "loading Passenger's native extension", message[:step]
    assert_match(/Passenger's native extension can't be loaded by Ruby #{RUBY_VERSION}/, message[:reason])
    assert_includes message[:reason], "`#{RbConfig.ruby} -S gem install passenger -v #{Passenger::VERSION}`"
    assert_match(%r{^It is missing; looked for\n  /nonexistent/passenger_ruby.so$}, message[:output])
  end

  def test_an_extension_that_is_none
    app("config.ru" => "run ->(_) {}", "passenger_ruby.so" => "\x7fELF nonsense")

    message = failure(env: { "PASSENGER_RUBY_EXT" => File.join(@root, "passenger_ruby.so") })

    assert_match(/can't be loaded/, message[:reason])
  end

  def test_bundler
    app("Gemfile" => "gem 'rack'\n", "config.ru" => "run ->(_) { [200, {}, [defined?(Bundler).to_s]] }")
    _, slot = ready_worker

    assert_match(/constant/, slot.exchange.last.body)
  end

  def test_a_gem_that_is_not_installed
    app("Gemfile" => "gem 'rack'\ngem 'there-is-no-such-gem'\n", "config.ru" => "run ->(_) {}")
    message = failure

    assert_equal "starting Bundler", message[:step]
    assert_match(/\ABundler::GemNotFound: Could not find gem 'there-is-no-such-gem'/, message[:reason])
    assert_match(/Install the gems of #{@root} with `bundle install`/, message[:output])
  end

  def test_a_gemfile_without_rack
    app("Gemfile" => "", "config.ru" => "run ->(_) {}")
    message = failure

    assert_match(/\ALoadError: cannot load such file -- rack/, message[:reason])
    assert_match(/Add `gem "rack"` to the Gemfile/, message[:output])
  end

  def test_load_paths_of_the_applications_own
    app("Gemfile" => "gem 'there-is-no-such-gem'\n",
        "config/setup_load_paths.rb" => '$LOAD_PATH.unshift(File.expand_path("../lib", __dir__))',
        "lib/mine.rb" => "MINE = 42", "config.ru" => "require 'mine'; run ->(_) { [200, {}, [MINE.to_s]] }")
    _, slot = ready_worker

    assert_equal "42", slot.exchange.last.body
  end

  def test_no_library_is_loaded_before_bundler
    app("config/setup_load_paths.rb" => "LOADED = $LOADED_FEATURES.dup",
        "config.ru" => 'run ->(_) { [200, {}, [LOADED.join("\n")]] }')
    _, slot = ready_worker
    loaded = slot.exchange.last.body.lines.map(&:chomp)
    bare = IO.popen([Child::RUBY, "-e", "puts $LOADED_FEATURES"], &:readlines).map(&:chomp)
    ours = File.expand_path("../../lib", __dir__)

    libraries = (loaded - bare).grep_v(/passenger_ruby/).reject { |path| path.start_with?(ours, @root) }

    assert_empty libraries
  end

  def test_startup_options_of_rack_2_and_other_names
    options = "#\\ -p 9292\n" if Rack.release < "3"
    app("other.ru" => "#{options}run ->(_) { [200, {}, [__FILE__]] }")
    child = start
    child.load(startup_file: "other.ru")

    assert_equal child.pid, child.wait_for("ready")[:pid]
  end

  def test_the_agent_leaves_before_it_said_anything
    app("config.ru" => "run ->(_) {}")
    child = start
    child.close_control

    assert_equal 0, child.status.exitstatus
  end

  def test_sigterm_while_loading
    app("config.ru" => "sleep")
    child = start
    child.load
    child.receive until child.receive[:step] == "loading config.ru"
    sleep(0.1)
    Process.kill("TERM", child.pid)

    assert_equal Signal.list["TERM"], child.status.termsig
  end
end
