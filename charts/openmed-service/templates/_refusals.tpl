{{/* Mistakes that would otherwise show only when a pod fails to start, or never. Types, unknown names and
     enumerations are refused earlier, by values.schema.json; here is what needs two values or a sentence.
     All mistakes are reported at once, each with what was expected, what was found and what to do. */}}

{{- define "openmed.refuse" -}}
{{- $mistakes := concat
      (include "openmed.mistakes.numbers" . | fromJsonArray)
      (include "openmed.mistakes.access" . | fromJsonArray)
      (include "openmed.mistakes.shutdown" . | fromJsonArray)
      (include "openmed.mistakes.extraEnv" . | fromJsonArray)
      (include "openmed.mistakes.podLabels" . | fromJsonArray) -}}
{{- if $mistakes -}}
{{- printf "these values cannot work:\n- %s" (join "\n- " $mistakes) | fail -}}
{{- end -}}
{{- end -}}

{{- define "openmed.mistakes.numbers" -}}
{{- $mistakes := list -}}
{{- $config := .Values.config -}}
{{- $throttle := $config.throttle -}}
{{- $limits := list
      (dict "name" "config.maxTextLength" "found" $config.maxTextLength "least" 1)
      (dict "name" "config.batching.maxSize" "found" $config.batching.maxSize "least" 1 "most" 100)
      (dict "name" "config.batching.maxWaitMs" "found" $config.batching.maxWaitMs "least" 0)
      (dict "name" "config.shutdownDrainSeconds" "found" $config.shutdownDrainSeconds "least" 0)
      (dict "name" "config.throttle.rateLimitRps" "found" $throttle.rateLimitRps "least" 0)
      (dict "name" "config.throttle.rateLimitBurst" "found" $throttle.rateLimitBurst "least" 0)
      (dict "name" "config.throttle.maxConcurrency" "found" $throttle.maxConcurrency "least" 0)
      (dict "name" "config.throttle.concurrencyWaitSeconds" "found" $throttle.concurrencyWaitSeconds "least" 0) -}}
{{- if ne (toString $config.maxResidentModels) "" -}}
{{- $unbounded := ", or \"\" for no limit" -}}
{{- $limits = append $limits (dict "name" "config.maxResidentModels" "found" $config.maxResidentModels "least" 1 "else" $unbounded) -}}
{{- end -}}
{{- range $limits -}}
{{- $range := printf "%d%s" .least (hasKey . "most" | ternary (printf " to %v" .most) " or more") -}}
{{- $found := float64 .found -}}
{{- if or (lt $found (float64 .least)) (and (hasKey . "most") (gt $found (float64 .most))) -}}
{{- $mistakes = append $mistakes (printf "%s: expected %s, found %s; give %s%s" .name $range (include "openmed.number" .found) $range (.else | default "")) -}}
{{- end -}}
{{- end -}}
{{- if and (gt (float64 $throttle.rateLimitRps) 0.0) (lt (float64 $throttle.rateLimitBurst) 1.0) -}}
{{- $mistakes = append $mistakes (printf "config.throttle.rateLimitRps, config.throttle.rateLimitBurst: expected a burst of 1 or more with a rate of %s per second, found %s, and an empty bucket admits nothing; raise the burst, or set the rate to 0 for no limit" (include "openmed.number" $throttle.rateLimitRps) (include "openmed.number" $throttle.rateLimitBurst)) -}}
{{- end -}}
{{- toJson $mistakes -}}
{{- end -}}

{{- define "openmed.mistakes.access" -}}
{{- $mistakes := list -}}
{{- range $origin := .Values.config.corsOrigins -}}
{{- if contains "*" $origin -}}
{{- $mistakes = append $mistakes (printf "config.corsOrigins: expected exact origins, found %q; list each origin in full, scheme and port included" $origin) -}}
{{- end -}}
{{- end -}}
{{- range $host := .Values.config.trustedHosts -}}
{{- if eq (trim $host) "*" -}}
{{- $mistakes = append $mistakes (printf "config.trustedHosts: expected host names or *.domain, found %q, which trusts every host; name the hosts" $host) -}}
{{- end -}}
{{- end -}}
{{- $keyBy := .Values.config.throttle.keyBy -}}
{{- if not (has $keyBy (list "global" "x-forwarded-for" "peer")) -}}
{{- $mistakes = append $mistakes (printf "config.throttle.keyBy: expected global, x-forwarded-for or peer, found %q; choose one of the three" $keyBy) -}}
{{- end -}}
{{- toJson $mistakes -}}
{{- end -}}

{{- define "openmed.mistakes.shutdown" -}}
{{- $mistakes := list -}}
{{- $grace := float64 .Values.terminationGracePeriodSeconds -}}
{{- $drain := float64 .Values.config.shutdownDrainSeconds -}}
{{- if le $grace $drain -}}
{{- $mistakes = append $mistakes (printf "terminationGracePeriodSeconds, config.shutdownDrainSeconds: expected a grace period longer than the drain of %s s, found %s s, so that the kubelet kills the pod while it drains; lengthen the first or shorten the second" (toJson $drain) (toJson $grace)) -}}
{{- end -}}
{{- toJson $mistakes -}}
{{- end -}}

{{- define "openmed.mistakes.extraEnv" -}}
{{- $mistakes := list -}}
{{- $config := include "openmed.environment" . | fromYaml -}}
{{- range .Values.extraEnv -}}
{{- if hasKey $config .name -}}
{{- $mistakes = append $mistakes (printf "extraEnv, %s: expected a variable that config does not set, found one that it does; set the value under config instead" .name) -}}
{{- else if eq .name "OPENMED_SERVICE_PORT" -}}
{{- $mistakes = append $mistakes (printf "extraEnv, %s: expected a variable that the chart does not set, found the listening port; set service.targetPort instead" .name) -}}
{{- else if and (hasKey . "value") (regexMatch "(TOKEN|SECRET|PASSWORD|_KEY)$" (upper .name)) -}}
{{- $mistakes = append $mistakes (printf "extraEnv, %s: expected a reference to a Secret, found a literal value, which Helm keeps readable in the release; use valueFrom.secretKeyRef" .name) -}}
{{- end -}}
{{- end -}}
{{- toJson $mistakes -}}
{{- end -}}

{{- define "openmed.mistakes.podLabels" -}}
{{- $mistakes := list -}}
{{- range $label, $_ := include "openmed.selector" . | fromYaml -}}
{{- if hasKey ($.Values.podLabels | default dict) $label -}}
{{- $mistakes = append $mistakes (printf "podLabels, %s: expected labels beside those of the selector, found one of the selector; use another label, or nameOverride" $label) -}}
{{- end -}}
{{- end -}}
{{- toJson $mistakes -}}
{{- end -}}
