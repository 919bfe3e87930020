# frozen_string_literal: true

# Work that runs once the client has its answer. `/done/KEY` tells what ran.
class AfterReply < Handler
  DONE = Hash.new { |done, key| done[key] = [] }

  def after_reply(key)
    callbacks = env["rack.after_reply"] or return text("unsupported\n")
    callbacks << -> { DONE[key] << "after_reply" }
    text("replied\n")
  end

  def response_finished(key)
    callbacks = env["rack.response_finished"] or return text("unsupported\n")
    callbacks << ->(_env, status, _headers, error) { DONE[key] << "first #{status} #{error.inspect}" }
    callbacks << ->(_env, status, _headers, error) { DONE[key] << "second #{status} #{error.inspect}" }
    text("replied\n")
  end

  # One callback that fails must not keep the others, nor the next request, from running.
  def failing_callbacks(key)
    %w[rack.after_reply rack.response_finished].each do |name|
      next unless env[name]

      env[name] << ->(*) { raise "a callback broke" }
      env[name] << ->(*) { DONE[key] << name }
    end
    text("replied\n")
  end

  def done(key)
    json(DONE[key])
  end
end
